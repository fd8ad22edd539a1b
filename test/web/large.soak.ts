/** A file larger than any tab should hold: 2 GiB (`SOAK_SIZE`) from page to page, while the memory of both tabs stays flat. */

import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { CDPSession, Page } from 'puppeteer-core'
import t from 'tap'
import { parseSize } from '../../lib/config-values.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { personAt, press, reads, send, startPeople } from './page.js'

const SIZE = parseSize(process.env['SOAK_SIZE'] ?? '2GiB')
const PIECE = 2 ** 20
/** Bytes of a tab's heap and buffers beyond which it holds a part of the file that grows. */
const FLAT = 200e6
/** Milliseconds that the transfer may take. */
const PATIENCE = 1_000_000

/** Watches what a tab's scripts hold, buffers included. @returns the most there was */
async function watchMemory (page: Page): Promise<() => Promise<number>> {
  const devtools = await page.createCDPSession()
  let most = 0
  const watching = new AbortController()
  const done = (async () => {
    while (!watching.signal.aborted) {
      most = Math.max(most, await heldBy(devtools))
      await delay(200)
    }
  })()
  return async () => {
    watching.abort()
    await done
    return most
  }
}

async function heldBy (devtools: CDPSession): Promise<number> {
  const usage = await devtools.send('Runtime.getHeapUsage') as { readonly usedSize: number, readonly backingStorageSize?: number }
  return usage.usedSize + (usage.backingStorageSize ?? 0)
}

t.test(`${SIZE} bytes from page to page`, { timeout: PATIENCE }, async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t, { MAX_FILE_SIZE: '1TiB' })
  const { browser, open } = await startPeople(t)
  const path = join(await temporaryFolder(t), 'large.bin')
  const sent = createHash('sha256')
  await pipeline(Readable.from((function * () {
    for (let at = 0; at < SIZE; at += PIECE) {
      const piece = randomBytes(Math.min(PIECE, SIZE - at))
      sent.update(piece)
      yield piece
    }
  })()), createWriteStream(path))

  const alice = await open(origin)
  // In the browser's own profile: a context beside it is a private window, whose files are in memory, and room for few.
  const downloads = await temporaryFolder(t)
  await (await browser.target().createCDPSession()).send('Browser.setDownloadBehavior', { behavior: 'allow', downloadPath: downloads })
  const bob = await personAt(await browser.newPage(), `${origin}/#${await send(alice, path)}`, downloads)
  for (const { page } of [alice, bob]) page.setDefaultTimeout(PATIENCE)
  const most = [await watchMemory(alice.page), await watchMemory(bob.page)]
  await press(bob, 'Save')
  await reads(bob, 'Everything is here')
  await reads(alice, 'Received and verified')
  for (const [i, stop] of most.entries()) {
    const bytes = await stop()
    t.ok(bytes < FLAT, `${i === 0 ? 'sender' : 'receiver'}: ${bytes} bytes at most`)
  }
  const received = createHash('sha256')
  await pipeline(createReadStream(await downloaded(bob.downloads, 'large.bin', PATIENCE)), received)
  t.equal(received.digest('hex'), sent.digest('hex'))
})

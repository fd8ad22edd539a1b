/** Sending goes on in another tab after its own has gone: loaded again, killed, or closed. */

import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { HTTPRequest, Page } from 'puppeteer-core'
import t, { type Test } from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { enterCode, personAt, press, reads, send, shownCode, startPeople, textOf, violations, type People, type Person } from './page.js'

const MIB = 2 ** 20

/** What a page sends of large files from now on: under which id, from which offset, how much. */
function recordPieces (page: Page): ReadonlyArray<{ readonly fileId: string, readonly offset: number }> {
  const pieces: Array<{ fileId: string, offset: number }> = []
  page.on('request', (request: HTTPRequest) => {
    if (request.method() === 'PATCH') pieces.push({ fileId: request.url().split('/').at(-1) ?? '', offset: Number(request.headers()['upload-offset']) })
  })
  return pieces
}

/** Loads the page again, as somebody who has touched it and says that he means it. */
async function reload ({ page }: Person): Promise<void> {
  page.once('dialog', (dialog) => { void dialog.accept() })
  await page.reload()
}

/** Chooses files where a transfer is gone on with. */
async function choose ({ page }: Person, ...paths: readonly string[]): Promise<void> {
  const picker = await page.waitForSelector<'input'>('input[data-pick="files"]' as 'input')
  await picker?.uploadFile(...paths)
}

/** How many records the browser keeps. */
const kept = async ({ page }: Person): Promise<number> => await page.evaluate(async () => await new Promise<number>((resolve, reject) => {
  const opening = indexedDB.open('local-send')
  opening.onerror = () => { reject(new Error('there is no database')) }
  opening.onsuccess = () => {
    const stores = [...opening.result.objectStoreNames]
    const transaction = opening.result.transaction(stores)
    let records = 0
    for (const store of stores) {
      const counting = transaction.objectStore(store).count()
      counting.onsuccess = () => { records += counting.result }
    }
    transaction.oncomplete = () => {
      opening.result.close()
      resolve(records)
    }
  }
}))

t.test('sending goes on, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const people = await startPeople(t)
  const { open } = people
  const folder = await temporaryFolder(t)
  const content = randomContent(12 * MIB)
  const path = join(folder, 'a.bin')
  await writeFile(path, content)

  /** Somebody whose tab is in the middle of sending. */
  async function sendHalf (t: Test, { paths = [path], after = 8 * MIB } = {}): Promise<Person & { readonly code: string, readonly pieces: ReturnType<typeof recordPieces> }> {
    const proxy = await startProxy(t, origin)
    const alice = await open(proxy.origin)
    const pieces = recordPieces(alice.page)
    const held = proxy.hold(after)
    const code = await send(alice, ...paths)
    await held
    return { ...alice, code, pieces }
  }

  await t.test('after a reload, to whoever had joined before, and joins after, from where it stopped', async (t) => {
    const alice = await sendHalf(t)
    const bob = await open(`${origin}/#${alice.code}`)
    await reads(alice, 'The other side has joined.')
    await press(bob, 'Save')
    await reads(bob, 'Receiving')
    const before = alice.pieces.length
    await reload(alice)
    await reads(alice, 'A transfer was interrupted in this browser.')
    t.notMatch(await textOf(alice.page), 'that ended the transfer')
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    await reads(alice, '1 file missing:')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []])
    await choose(alice, path)
    t.equal(await shownCode(alice.page), alice.code)
    await reads(alice, 'The other side has joined.')
    await reads(alice, 'Received and verified')
    await reads(bob, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
    const after = alice.pieces.slice(before)
    t.same(new Set(alice.pieces.map(({ fileId }) => fileId)).size, 1, 'under the same id')
    t.ok(Math.min(...after.map(({ offset }) => offset)) >= MIB, `from ${Math.min(...after.map(({ offset }) => offset))} on`)
    t.equal(await kept(alice), 0, 'nothing is kept any longer')
  })
})

/** Where secrets do not go: no request leaves the origin, and neither an address, a header, a log nor any storage holds a secret. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { Page } from 'puppeteer-core'
import t from 'tap'
import { randomContent } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { recordsIn } from './kept.js'
import { press, reads, send, startPeople, type Person } from './page.js'

const KNOWN = 'A sentence that only the two of them are to read.'

/** Everything that a page asks for, from now on. */
async function recordRequests (page: Page): Promise<{ readonly addresses: string[], readonly sent: string[] }> {
  const addresses: string[] = []
  const sent: string[] = []
  const devtools = await page.createCDPSession()
  await devtools.send('Network.enable')
  devtools.on('Network.requestWillBeSent', ({ request }) => {
    addresses.push(request.url)
    // Bodies among it, as far as they are text. A fragment is told here and stays in the browser.
    sent.push(JSON.stringify({ ...request, urlFragment: undefined }))
  })
  devtools.on('Network.requestWillBeSentExtraInfo', ({ headers }) => { sent.push(JSON.stringify(headers)) })
  return { addresses, sent }
}

/** What the browser keeps for the origin. */
const stored = ({ page }: Person): Promise<string> => page.evaluate(async () => JSON.stringify([
  Object.entries(sessionStorage), Object.entries(localStorage), document.cookie, location.href, history.state, (await indexedDB.databases()).map(({ name }) => name), await caches.keys()
]))

t.test('no secret leaves the page', async (t) => {
  if (!await needs(t, 'chromium')) return
  const lines: string[] = []
  const log = new Writable({ write (chunk, _encoding, done) { lines.push(String(chunk)); done() } })
  const { origin } = await startServer(t, {}, { logger: { level: 'debug', stream: log } })
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'a name of theirs.txt'), KNOWN)
  await writeFile(join(folder, 'large.bin'), randomContent(2 ** 19))

  const alice = await open('about:blank')
  const bob = await open('about:blank')
  const recorded = [await recordRequests(alice.page), await recordRequests(bob.page)]
  await alice.page.goto(origin)
  const code = await send(alice, join(folder, 'a name of theirs.txt'), join(folder, 'large.bin'))
  const passphrase = code.split('-').slice(2).join('-')
  await bob.page.goto(`${origin}/#${code}`)
  await reads(bob, 'This is all of it.')
  const kept = [await stored(alice), await stored(bob), JSON.stringify(await recordsIn(alice)), JSON.stringify(await recordsIn(bob))]
  t.ok((kept[2] ?? '').includes(code.slice(0, 8)), 'a session is kept')
  await press(bob, 'Save all as one zip')
  await reads(bob, 'Everything is here')
  await reads(alice, 'Received and verified')
  kept.push(await stored(alice), await stored(bob))

  const addresses = recorded.flatMap(({ addresses }) => addresses)
  t.ok(addresses.length > 10, 'there is something to look at')
  t.same(addresses.filter((address) => !address.startsWith(`${origin}/`) && !address.startsWith(`blob:${origin}/`) && address !== 'about:blank'), [], 'no request leaves the origin')
  t.same(addresses.filter((address) => /token|[A-Za-z0-9_-]{43}/.test(address)), [], 'no token is in an address')
  const sent = recorded.flatMap(({ sent }) => sent).join('\n')
  const where: Readonly<Record<string, string>> = { sent, log: lines.join(''), stored: kept.join('\n') }
  t.ok((where['log'] ?? '').includes('/api/session/'), 'the log is one of these requests')
  for (const [place, text] of Object.entries(where)) {
    for (const [secret, value] of Object.entries({ passphrase, 'first words': passphrase.split('-').slice(0, 2).join('-'), name: 'a name of theirs', content: KNOWN })) {
      t.notOk(text.includes(value) || text.includes(encodeURIComponent(value)) || text.includes(Buffer.from(value).toString('base64')), `${place}: no ${secret}`)
    }
  }
  const tokens = [...sent.matchAll(/Bearer ([A-Za-z0-9_-]{43})/g)].map(([, token = '']) => token)
  t.ok(new Set(tokens).size >= 2, 'each side has a token')
  t.same([...new Set(tokens)].filter((token) => (where['log'] ?? '').includes(token) || (where['stored'] ?? '').includes(token)), [], 'no token in log or storage')
  t.notMatch(sent, /"[Cc]ookie"/, 'no cookie is sent')
})

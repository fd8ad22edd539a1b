/** A network that is away for a while: the page says so while it tries again, and no more when it is back. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { press, reads, send, startPeople, textOf, violations, type Person } from './page.js'

const LOST = 'Connection lost – trying again…'
/** Bytes in a second: slow enough for a speed to be seen before everything is there. */
const SLOW = { upload: 2 ** 21, download: 2 ** 21, latency: 0 }

/** Waits until it is said that the connection is lost, to those who listen as well. */
async function tellsOfLoss (person: Person): Promise<void> {
  await reads(person, LOST)
  await person.page.waitForFunction((text: string) => document.querySelector('[role="status"].lost')?.textContent === text, {}, LOST)
}

const tellsOfNoLoss = async ({ page }: Person): Promise<void> => { await page.waitForFunction((text: string) => !document.body.innerText.includes(text), {}, LOST) }

t.test('a network that is away for a while', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const content = randomContent(48 * 2 ** 20)
  const path = join(await temporaryFolder(t), 'a.bin')
  await writeFile(path, content)

  await t.test('while a file is sent and received', async (t) => {
    const [toAlice, toBob] = await Promise.all([startProxy(t, origin), startProxy(t, origin)])
    const alice = await open(toAlice.origin)
    await alice.page.emulateNetworkConditions(SLOW)
    const bob = await open(`${toBob.origin}/#${await send(alice, path)}`)
    await press(bob, 'Save')
    await Promise.all([reads(alice, '/s'), reads(bob, '/s')])
    for (const person of [alice, bob]) t.notMatch(await textOf(person.page), LOST)
    const mends = [toAlice.breakDown(), toBob.breakDown()]
    await Promise.all([tellsOfLoss(alice), tellsOfLoss(bob)])
    for (const person of [alice, bob]) {
      t.match(await textOf(person.page), /\d\sMB of 50\.3\sMB/, 'how far it is')
      t.notMatch(await textOf(person.page), /\/s|left/, 'and not how fast it was')
      t.same([await violations(person.page), await layoutFaults(person.page)], [[], []])
    }
    await alice.page.emulateNetworkConditions(null)
    for (const mend of mends) mend()
    await Promise.all([reads(alice, 'Received and verified'), reads(bob, 'Everything is here')])
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
  })

  await t.test('while somebody is waited for', async (t) => {
    const proxy = await startProxy(t, origin)
    const alice = await open(proxy.origin)
    await send(alice, path)
    await reads(alice, 'Everything is uploaded')
    t.notMatch(await textOf(alice.page), /\/s|left/, 'what is over has no speed')
    const mend = proxy.breakDown()
    await tellsOfLoss(alice)
    mend()
    await tellsOfNoLoss(alice)
    await reads(alice, 'Nobody has joined yet')
  })

  await t.test('while the sender is waited for', async (t) => {
    const created = await fetch(`${origin}/api/session/create`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"kind":"end-to-end"}' })
    const { session_id: id = '', verification_code: digits = '', token = '' } = await created.json() as Readonly<Record<string, string>>
    const proxy = await startProxy(t, origin)
    const bob = await open(`${proxy.origin}/#${id}-${digits}-absent-mango-river`)
    await reads(bob, 'Waiting for the other side')
    await eventually(async () => /"pending"/.test(await (await fetch(`${origin}/api/session/${id}/joins`, { headers: { authorization: `Bearer ${token}` } })).text()))
    const mend = proxy.breakDown()
    await tellsOfLoss(bob)
    t.same([await violations(bob.page), await layoutFaults(bob.page)], [[], []])
    mend()
    await tellsOfNoLoss(bob)
    await press(bob, 'Cancel')
    await reads(bob, 'You have left')
  })

  await t.test('while the sender is away, and the server is not', async (t) => {
    const toAlice = await startProxy(t, origin)
    const alice = await open(toAlice.origin)
    const holding = toAlice.hold(16 * 2 ** 20)
    const bob = await open(`${origin}/#${await send(alice, path)}`)
    await bob.page.evaluate(() => {
      // A quarter of a minute, in less than a second.
      const truly = performance.now.bind(performance)
      performance.now = () => 20 * truly()
    })
    await holding
    await press(bob, 'Save')
    await reads(bob, 'Nothing has come for a while.')
    const [all, one] = await bob.page.$$eval('progress', (bars) => bars.map(({ value }) => value))
    t.ok(all !== undefined && all > 2 ** 20, String(all))
    t.equal(one, all, 'the only file has come as far as all of it')
    t.same([await violations(bob.page), await layoutFaults(bob.page)], [[], []])
    toAlice.breakDown()()
    await reads(bob, 'Everything is here')
    t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
  })
})

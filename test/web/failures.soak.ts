/** More of what may go wrong with the page: a server that damages what it holds, two tabs, a reload. */

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { downloaded, needs } from '../helpers/services.js'
import { startLyingProxy } from '../hostile/scene.js'
import { layoutFaults } from './access.js'
import { storedFiles } from './kept.js'
import { press, reads, send, startPeople, textOf, violations } from './page.js'

t.test('more failures, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin } = await startServer(t)
  const { open } = await startPeople(t)
  const folder = await temporaryFolder(t)
  const content = randomContent(8 * 2 ** 20)
  const path = join(folder, 'a.bin')
  await writeFile(path, content)
  const other = join(folder, 'b.bin')
  await writeFile(other, randomContent(content.length))

  for (const attack of ['bit-in-the-last-chunk', 'cut-before-the-last-chunk', 'files-swapped', 'bytes-appended'] as const) {
    await t.test(`damaged ciphertext, ${attack}: told, and nothing of it is kept`, async (t) => {
      const { origin: lying } = await startLyingProxy(t, origin, attack)
      const alice = await open(lying)
      const bob = await open(`${lying}/#${await send(alice, path, other)}`)
      if (attack === 'cut-before-the-last-chunk' || attack === 'bytes-appended') {
        await reads(bob, 'cannot be read: damaged')
      } else {
        await press(bob, 'Save all as one zip')
        await reads(bob, 'Nothing of it was kept.')
      }
      t.same(await violations(bob.page), [], 'damage')
      t.same(await readdir(bob.downloads), [])
      t.same(await bob.page.evaluate(storedFiles), [], 'nor in the browser')
      await press(bob, 'Leave')
      await reads(alice, 'Not everything was taken')
      t.same(await violations(alice.page), [], 'not everything')
    })
  }

  await t.test('two tabs of one browser send and receive without knowing of each other', async (t) => {
    const one = await open(origin)
    const other = await one.page.browserContext().newPage()
    await other.goto(origin)
    const two = { ...one, page: other }
    const codes = [await send(one, path), await send(two, path)]
    t.not(codes[0], codes[1])
    for (const [i, alice] of [one, two].entries()) {
      const bob = await open(`${origin}/#${codes[i] ?? ''}`)
      await press(bob, 'Save')
      await alice.page.bringToFront()
      await reads(alice, 'Received and verified')
      t.equal(sha256(await readFile(await downloaded(bob.downloads, 'a.bin'))), sha256(content))
    }
  })

  await t.test('where nothing can be kept, a reload in the middle of an upload is asked about, ends it for both, and is told of', async (t) => {
    const proxy = await startProxy(t, origin)
    const alice = await open(proxy.origin)
    await alice.page.evaluate(() => { IDBObjectStore.prototype.put = () => { throw new DOMException('', 'QuotaExceededError') } })
    const held = proxy.hold(6 * 2 ** 20)
    const bob = await open(`${origin}/#${await send(alice, path)}`)
    await held
    await press(bob, 'Save')
    await reads(bob, 'Receiving')
    const asked: string[] = []
    alice.page.on('dialog', (dialog) => {
      asked.push(dialog.type())
      void dialog.accept()
    })
    // Only whoever has touched a page is asked.
    await alice.page.click('h1')
    await alice.page.reload()
    t.same(asked, ['beforeunload'])
    await reads(alice, 'loaded again while it was sending')
    await reads(alice, 'Drop files or folders here')
    t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []], 'interrupted')
    await reads(bob, 'The sender has ended the session')
    t.same(await violations(bob.page), [], 'ended')
    t.same(await readdir(bob.downloads), [], 'nothing of half a file')
    await eventually(async () => (await bob.page.evaluate(storedFiles)).length === 0)
    t.same(await alice.page.evaluate(() => [Object.keys(sessionStorage), Object.keys(localStorage), String(history.state)]), [[], [], 'null'])
    await alice.page.reload()
    await reads(alice, 'Drop files or folders here')
    t.notMatch(await textOf(alice.page), 'loaded again', 'it is told once')
    const carol = await open(`${origin}/#${await send(alice, path)}`)
    await press(carol, 'Save')
    await reads(alice, 'Received and verified')
    t.equal(sha256(await readFile(await downloaded(carol.downloads, 'a.bin'))), sha256(content), 'and it begins anew')
  })
})

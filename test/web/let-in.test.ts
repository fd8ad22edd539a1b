/** Who is let in while a sender is interrupted. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { startProxy } from '../helpers/proxy.js'
import { needs } from '../helpers/services.js'
import { layoutFaults } from './access.js'
import { chooseAgain, HALF, inAnotherTab, MIB, receives, reload, sendHalf, startScene } from './interrupted.js'
import { kept } from './kept.js'
import { enterCode, press, reads, send, violations } from './page.js'

t.test('whoever was being let in when the page was loaded again is let in when it goes on, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const { origin, open, content, path } = await startScene(t)
  const proxy = await startProxy(t, origin)
  const alice = await open(proxy.origin)
  const code = await send(alice, path)
  await reads(alice, 'Everything is uploaded')
  const holding = proxy.holdAt('/accept')
  const bob = await open(`${origin}/#${code}`)
  const held = await holding
  await reload(alice)
  held.cut()
  await enterCode(alice, code)
  await reads(alice, 'The other side has joined.')
  await receives(t, bob, 'a.bin', content)
  await reads(alice, 'Received and verified')
})

t.test('a code is entered once in a browser while the files that it needs are chosen, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const scene = await startScene(t)
  const alice = await inAnotherTab(await sendHalf(t, scene))
  await enterCode(alice, alice.code)
  await reads(alice, 'Go on sending')
  const second = await alice.page.browserContext().newPage()
  await second.goto(`${alice.address}/#${alice.code}`)
  await reads({ page: second }, 'Another tab is going on with this transfer')
  await alice.page.bringToFront()
  await chooseAgain(alice, scene.path)
  await reads(alice, 'Nobody has joined yet.')
  await second.bringToFront()
  await enterCode({ ...alice, page: second }, alice.code)
  await reads({ page: second }, 'This is all of it.')
})

t.test('whoever joins while the files are chosen again is let in, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const scene = await startScene(t)
  const other = join(scene.folder, 'b.bin')
  await writeFile(other, scene.content)
  const alice = await inAnotherTab(await sendHalf(t, scene, { paths: [scene.path, other], after: 12 * MIB + HALF }))
  await enterCode(alice, alice.code)
  await reads(alice, 'Go on sending')
  const bob = await scene.open(`${scene.origin}/#${alice.code}`)
  await reads(bob, 'a.bin')
  await reads(alice, 'The other side has joined.')
  t.same([await violations(alice.page), await layoutFaults(alice.page)], [[], []])
  const verifier = await bob.page.$eval('.verifiers code', ({ textContent }) => textContent)
  await press(bob, 'Save: a.bin')
  await reads(bob, 'Saved and verified')
  await chooseAgain(alice, other)
  await reads(alice, 'Say this code')
  await reads(alice, 'The other side has joined.')
  await reads(alice, verifier)
  t.same(await alice.page.$$eval('.row.received .name', (names) => names.map(({ textContent }) => textContent)), ['a.bin'])
  await receives(t, bob, 'b.bin', scene.content)
  await reads(alice, 'Received and verified')
})

t.test('whoever a server that encrypts lets in while the files are chosen again is seen, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const scene = await startScene(t)
  const alice = await inAnotherTab(await sendHalf(t, scene, { isManaged: true }))
  await enterCode(alice, alice.code)
  await reads(alice, 'Go on sending')
  const bob = await scene.open(`${scene.origin}/#${alice.code}`)
  await press(bob, 'Join all the same')
  await reads(alice, 'The other side has joined.')
  await chooseAgain(alice, scene.path)
  await reads(alice, 'the server has encrypted it')
  await reads(alice, 'The other side has joined.')
  await press(bob, 'Save')
  await reads(alice, 'Received and verified')
})

for (const isManaged of [false, true]) {
  t.test(`a session that ends while the files are chosen again, ${isManaged ? 'managed' : 'end-to-end'}, in Chromium`, async (t) => {
    if (!await needs(t, 'chromium')) return
    const scene = await startScene(t)
    const alice = await inAnotherTab(await sendHalf(t, scene, { isManaged }))
    await enterCode(alice, alice.code)
    await reads(alice, 'Go on sending')
    const [id = ''] = alice.code.split('-')
    t.equal((await fetch(`${scene.origin}/api/session/${id}/close`, { method: 'POST', headers: { authorization: alice.before[0]?.token ?? '' } })).status, 200)
    await reads(alice, 'The session has ended.')
    t.equal((await kept(alice)).records, 0)
  })
}

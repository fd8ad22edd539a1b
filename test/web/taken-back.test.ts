/** Files that are on offer, and then are not, or not often enough. */

import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { codeOf, newPlace } from '../cli/program.js'
import { downloaded, needs } from '../helpers/services.js'
import { chooseAgain, HALF, inAnotherTab, kill, MIB, receives, sendHalf, startScene } from './interrupted.js'
import { enterCode, personAt, press, reads, textOf } from './page.js'

t.test('what is not on offer any more, in Chromium', async (t) => {
  if (!await needs(t, 'chromium')) return
  const scene = await startScene(t)
  const { origin, open, folder, content, path } = scene

  await t.test('a file that is taken back is nothing to wait for', async (t) => {
    const other = join(folder, 'b.bin')
    await writeFile(other, content)
    const half = await sendHalf(t, scene, { paths: [path, other], after: 12 * MIB + HALF })
    const bob = await open(`${origin}/#${half.code}`)
    await reads(bob, 'b.bin')
    const alice = await inAnotherTab(half)
    await enterCode(alice, alice.code)
    await press(alice, 'Go on without them')
    await reads(bob, 'Taken back by the sender')
    await reads(bob, 'This is all of it.')
    await press(bob, 'Save: a.bin')
    await reads(bob, 'Everything is here')
    await reads(alice, 'Received and verified')
  })

  await t.test('nor is one that was sent anew', async (t) => {
    const changing = join(folder, 'c.bin')
    await writeFile(changing, content)
    const half = await sendHalf(t, scene, { paths: [changing] })
    const bob = await open(`${origin}/#${half.code}`)
    await reads(bob, 'c.bin')
    const alice = await inAnotherTab(half)
    await writeFile(changing, Uint8Array.from(content, (byte) => byte ^ 1))
    await enterCode(alice, alice.code)
    await chooseAgain(alice, changing)
    await reads(bob, 'This is all of it.')
    await press(bob, 'Save: c.bin')
    await reads(bob, 'Everything is here')
    await reads(alice, 'Received and verified')
  })

  await t.test('what was saved is downloaded again from here, though its downloads are used up', async (t) => {
    const { home, run } = await newPlace(t, origin)
    for (const name of ['x.bin', 'y.bin']) await writeFile(join(home, name), content)
    const sending = run(['send', '--max-downloads', '1', 'x.bin', 'y.bin'])
    const code = await codeOf(sending)
    const bob = await open(`${origin}/#${code}`)
    await reads(bob, 'This is all of it.')
    await press(bob, 'Save: x.bin')
    await downloaded(bob.downloads, 'x.bin')
    await reads(bob, 'Saved and verified')
    const later = await personAt(await bob.page.browserContext().newPage(), origin, bob.downloads)
    await kill(bob.page)
    await enterCode(later, code)
    await reads(later, 'Saved and verified')
    await rm(join(bob.downloads, 'x.bin'))
    await press(later, 'Download again: x.bin')
    await downloaded(bob.downloads, 'x.bin')
    t.match(await textOf(later.page), 'Saved and verified')
    await receives(t, later, 'y.bin', content)
    t.equal(await sending.exit, 0, sending.stderr())
  })
})

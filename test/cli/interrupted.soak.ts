import { utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Noise } from '../helpers/noise.js'
import { checkArrived, CONTENT, kill, partialSize, transferMidway } from './midway.js'
import { stateOf, treeOf } from './program.js'

t.test('a source that has changed meanwhile is sent anew', async (t) => {
  const { alice, bob, sending, receiving, code, held } = await transferMidway(t)
  await kill(sending)
  held.cut()
  const other = new Noise('another one').take(CONTENT.length)
  await writeFile(join(alice.home, 'large.bin'), other)
  await utimes(join(alice.home, 'large.bin'), new Date(), new Date(Date.now() + 5000))
  const again = alice.run(['send', '--resume', code])
  t.same([await again.exit, await receiving.exit], [0, 0], again.stderr() + receiving.stderr())
  await checkArrived(t, { alice, bob }, other)
})

t.test('a receiver that is killed goes on where he was', async (t) => {
  const { alice, bob, sending, receiving, code, held } = await transferMidway(t)
  await kill(receiving)
  const before = await partialSize(bob)
  t.ok(before > 0)
  t.equal(await bob.run(['receive', code, '--yes']).exit, 2, 'only when that is asked for')
  held.cut()
  const again = bob.run(['receive', code, '--resume', '--yes', '--json'])
  t.same([await again.exit, await sending.exit], [0, 0], again.stdout() + sending.stderr())
  await checkArrived(t, { alice, bob })
})

t.test('Ctrl-C at the sender ends the session for both and leaves nothing', async (t) => {
  const { alice, bob, sending, receiving } = await transferMidway(t)
  sending.child.kill('SIGINT')
  t.same([await sending.exit, await receiving.exit], [130, 4], sending.stderr() + receiving.stderr())
  t.match(sending.stderr(), /Interrupted\.\n$/)
  t.match(receiving.stderr(), /The other side has ended the session before everything was received\.\n$/)
  t.same(await treeOf(bob.home), [])
  t.same([await stateOf(alice), await stateOf(bob)], [[], []])
})

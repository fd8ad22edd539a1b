/** What goes in and out besides files: standard input, texts, and outputs that nobody reads. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { CONTENT, kill } from './midway.js'
import { codeOf, said, setUp, stateOf } from './program.js'

t.test('a text from standard input has all its lines', async (t) => {
  const { alice, bob } = await setUp(t)
  const sending = alice.run(['send', '--text'], { input: 'one\ntwo\n\nthree\n' })
  const receiving = bob.run(['receive', await codeOf(sending), '--yes'])
  t.same([await sending.exit, await receiving.exit], [0, 0], sending.stderr() + receiving.stderr())
  t.equal(receiving.stdout(), 'one\ntwo\n\nthree\n')
  const both = alice.run(['send', '--text', '--passphrase-file', '-'], { input: 'a passphrase' })
  t.equal(await both.exit, 2)
  t.match(both.stderr(), /cannot be both/)
})

t.test('standard input that was sent to its end is not sent again by a run that goes on', async (t) => {
  const { alice, bob } = await setUp(t)
  const sending = alice.run(['send', '-', '--name', 'dump.sql'], { input: CONTENT })
  const code = await codeOf(sending)
  await said(sending, /Waiting until/)
  await kill(sending)
  const again = alice.run(['send', '--resume', code])
  const receiving = bob.run(['receive', code, '--yes'])
  t.same([await again.exit, await receiving.exit], [0, 0], again.stderr() + receiving.stderr())
  t.equal(Buffer.compare(await readFile(join(bob.home, 'dump.sql')), CONTENT), 0)
})

t.test('a place that cannot be written to costs neither the session nor what is kept', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'a.bin'), CONTENT)
  await writeFile(join(bob.home, 'taken'), '')
  const sending = alice.run(['send', 'a.bin'])
  const code = await codeOf(sending)
  const refused = bob.run(['receive', code, '--yes', '--output', 'taken'])
  t.equal(await refused.exit, 2)
  t.match(refused.stderr(), /taken cannot be used: something else is there\.\n$/)
  // Nobody can make anything there, root included.
  const unwritable = bob.run(['receive', code, '--yes', '--output', '/sys/received'])
  t.equal(await unwritable.exit, 2)
  t.match(unwritable.stderr(), /^The folder \/sys\/received cannot be used: .*\.\n$/)
  t.notMatch(sending.stderr(), /Somebody has joined/)
  const receiving = bob.run(['receive', code, '--yes'])
  t.same([await sending.exit, await receiving.exit], [0, 0], sending.stderr() + receiving.stderr())
})

t.test('who stops reading what is said ends the transfer, and the other side is told', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'a.bin'), CONTENT)
  const sending = alice.run(['send', '--json', 'a.bin'])
  const code = (await said(sending, /"code":"([^"]+)"/))[1] ?? ''
  sending.child.stdout?.destroy()
  t.equal(await sending.exit, 130, sending.stderr())
  t.notMatch(sending.stderr(), /EPIPE|at /)
  t.same(await stateOf(alice), [])
  t.equal(await bob.run(['receive', code, '--yes']).exit, 4)
})

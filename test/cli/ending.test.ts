/** What each side says and keeps when a transfer does not end as it should have. */

import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { needs } from '../helpers/services.js'
import { checkArrived, CONTENT, kill, sendHeld, transferMidway } from './midway.js'
import { codeOf, newPlace, said, setUp, stateOf, treeOf } from './program.js'

t.test('a sender that comes back learns who has left meanwhile', async (t) => {
  for (const kind of [[], ['--managed']]) {
    const { alice, bob, sending, code, held } = await sendHeld(t, { send: ['large.bin', ...kind] })
    const receiving = bob.run(['receive', code, '--yes', ...kind])
    await said(sending, /Somebody has joined/)
    await said(receiving, /Offered/)
    await kill(sending)
    held.cut()
    receiving.child.kill('SIGINT')
    t.equal(await receiving.exit, 130, receiving.stderr())
    const again = alice.run(['send', '--resume', code])
    t.equal(await again.exit, 5, again.stderr())
    t.match(again.stderr(), /The other side has left without taking everything\.\n$/)
    t.same(await stateOf(alice), [])
  }
})

t.test('whoever was being let in when the sender was killed is let in when it comes back', async (t) => {
  const { server, bob } = await setUp(t)
  const proxy = await startProxy(t, server.origin)
  const alice = await newPlace(t, proxy.origin)
  await writeFile(join(alice.home, 'large.bin'), CONTENT)
  const sending = alice.run(['send', 'large.bin'])
  const code = await codeOf(sending)
  const holding = proxy.holdAt('/accept')
  const receiving = bob.run(['receive', code, '--yes'])
  const held = await holding
  await kill(sending)
  held.cut()
  const again = alice.run(['send', '--resume', code])
  t.same([await again.exit, await receiving.exit], [0, 0], again.stderr() + receiving.stderr())
  t.match(again.stderr(), /Somebody has joined/)
  await checkArrived(t, { alice, bob })
})

t.test('a sender that comes back counts who had received everything meanwhile, and who does then', async (t) => {
  const { server, alice, bob } = await setUp(t)
  const carol = await newPlace(t, server.origin)
  await writeFile(join(alice.home, 'a.txt'), 'content')
  const sending = alice.run(['send', 'a.txt', '--receivers', '2'])
  const code = await codeOf(sending)
  const receiving = bob.run(['receive', code, '--yes'])
  await said(sending, /Somebody has joined/)
  await kill(sending)
  t.equal(await receiving.exit, 0, receiving.stderr())
  const again = alice.run(['send', '--resume', code])
  t.equal(await carol.run(['receive', code, '--yes']).exit, 0)
  t.equal(await again.exit, 0, again.stderr())
  t.match(again.stderr(), /verified by all 2 receivers\.\n$/)
  t.same(await stateOf(alice), [])
})

t.test('inputs that a run cannot send do not take the place of those that it was to go on with', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'a.txt'), 'content')
  await writeFile(join(alice.home, 'huge.bin'), '')
  await truncate(join(alice.home, 'huge.bin'), 2 ** 39)
  const sending = alice.run(['send', 'a.txt'])
  const code = await codeOf(sending)
  await said(sending, /Waiting until/)
  await kill(sending)
  const wrong = alice.run(['send', '--resume', code, 'huge.bin'])
  t.equal(await wrong.exit, 1)
  t.match(wrong.stderr(), /huge\.bin has 512 GiB/)
  const again = alice.run(['send', '--resume', code])
  const receiving = bob.run(['receive', code, '--yes'])
  t.same([await again.exit, await receiving.exit], [0, 0], again.stderr() + receiving.stderr())
  t.same(await treeOf(bob.home), ['a.txt'])
})

t.test('standard input that was interrupted is said to be lost, and the receiver is not told to go on', async (t) => {
  const { alice, bob, sending, code, held } = await sendHeld(t, { send: ['-', 'a.txt', '--name', 'dump.sql'], input: CONTENT })
  await kill(sending)
  held.cut()
  const again = alice.run(['send', '--resume', code])
  await said(again, /dump\.sql was not sent: The file cannot be read\. It was interrupted/)
  const receiving = bob.run(['receive', code, '--yes'])
  t.same([await again.exit, await receiving.exit], [6, 4], again.stderr() + receiving.stderr())
  t.match(receiving.stderr(), /did not say that this was all\.\n$/)
  t.notMatch(receiving.stderr(), /--resume/)
  t.match(again.stderr(), /verified by the other side, but for 1 file that could not be sent\.\n$/)
  t.same(await treeOf(bob.home), ['a.txt'])
  t.same([await stateOf(alice), await stateOf(bob)], [[], []])
})

t.test('standard input that was interrupted before anything came is no empty file', async (t) => {
  const { alice } = await setUp(t)
  const sending = alice.run(['send', '-'], { inputStaysOpen: true })
  const code = await codeOf(sending)
  await eventually(async () => (await stateOf(alice)).some((name) => name.endsWith('/sent')))
  await kill(sending)
  const again = alice.run(['send', '--resume', code])
  t.equal(await again.exit, 6, again.stderr())
  t.match(again.stderr(), /stdin was not sent: .*send it in a session of its own\.\n.*Nothing could be sent\.\n$/s)
  t.same(await stateOf(alice), [])
})

t.test('a text is the same one in every run', async (t) => {
  const { alice, bob } = await setUp(t)
  const sending = alice.run(['send', '--json', '--text', 'hello'])
  const code = (await said(sending, /"code":"([^"]+)"/))[1] ?? ''
  await said(sending, /"event":"sent"/)
  await kill(sending)
  const idOf = (text: string): string | undefined => /"file\.sent","file_id":"([^"]+)"/.exec(text)?.[1]
  const again = alice.run(['send', '--json', '--resume', code])
  const receiving = bob.run(['receive', code, '--yes'])
  t.same([await again.exit, await receiving.exit], [0, 0], again.stderr() + receiving.stderr())
  t.ok(idOf(sending.stdout()))
  t.equal(idOf(again.stdout()), idOf(sending.stdout()))
  t.equal(receiving.stdout(), 'hello\n')
})

t.test('that something is to be replaced is remembered by the run that goes on', async (t) => {
  const { bob, receiving, code, held } = await transferMidway(t, {
    receive: (bob, code) => bob.run(['receive', code, '--yes', '--force'])
  })
  await writeFile(join(bob.home, 'large.bin'), 'of before')
  await kill(receiving)
  held.cut()
  const again = bob.run(['receive', '--resume', code, '--yes'])
  t.equal(await again.exit, 0, again.stderr())
  t.same(await treeOf(bob.home), ['large.bin'])
  t.equal(Buffer.compare(await readFile(join(bob.home, 'large.bin')), CONTENT), 0)
})

t.test('what was to be replaced in one folder is not replaced in another', async (t) => {
  const { bob, receiving, code, held } = await transferMidway(t, {
    receive: (bob, code) => bob.run(['receive', code, '--yes', '--force'])
  })
  const other = join(bob.home, 'other')
  await mkdir(other)
  await writeFile(join(other, 'large.bin'), 'of before')
  await kill(receiving)
  held.cut()
  const again = bob.run(['receive', '--resume', code, '--yes', '--output', 'other'])
  t.equal(await again.exit, 0, again.stderr())
  t.equal(await readFile(join(other, 'large.bin'), 'utf8'), 'of before')
  t.same(await treeOf(bob.home), ['other', 'other/large (2).bin', 'other/large.bin'])
})

t.test('who takes the first and declines the second has received the first', async (t) => {
  if (!await needs(t, 'script')) return
  const { alice, bob, sending, receiving, held } = await transferMidway(t, {
    send: ['large.bin', 'a.txt'],
    receive: (bob, code) => {
      const run = bob.runOnTerminal(['receive', code])
      said(run, /\[N\]o:/).then(() => run.child.stdin?.write('y\n'), () => {})
      return run
    }
  })
  held.cut()
  await said(receiving, /a\.txt[^]*\[N\]o:/)
  receiving.child.stdin?.write('n\n')
  t.same([await receiving.exit, await sending.exit], [6, 6], receiving.stdout() + sending.stderr())
  t.match(receiving.stdout(), /Received and verified 1 file, the rest declined\./)
  t.same(await treeOf(bob.home), ['large.bin'])
  t.same([await stateOf(alice), await stateOf(bob)], [[], []])
})

t.test('who interrupts it while the server is away hears that the session goes on for a while', async (t) => {
  const { alice, server } = await setUp(t)
  await writeFile(join(alice.home, 'a.txt'), 'content')
  const sending = alice.run(['send', 'a.txt'])
  await said(sending, /Waiting until/)
  await kill(server)
  sending.child.kill('SIGINT')
  t.equal(await sending.exit, 130)
  t.match(sending.stderr(), /Warning: the session could not be ended, since the server did not answer/)
  t.same(await stateOf(alice), [])
})

t.test('who cannot go on says why, and then that he can later', async (t) => {
  const { alice, server } = await setUp(t)
  await writeFile(join(alice.home, 'a.txt'), 'content')
  const sending = alice.run(['send', 'a.txt'])
  await said(sending, /Waiting until/)
  await kill(server)
  const other = createServer((_, response) => { response.end('{}') }).listen(Number(new URL(server.origin).port), '127.0.0.1')
  t.teardown(() => other.close())
  t.equal(await sending.exit, 1)
  t.match(sending.stderr(), /not what the protocol says.*\nWhat has been transferred is kept\. Go on with it by [^\n]*\n$/)
  t.not((await stateOf(alice)).length, 0)
})

t.test('both sides say that the connection is lost, and go on when it is back', async (t) => {
  const { server } = await setUp(t)
  const proxy = await startProxy(t, server.origin)
  const [alice, bob] = [await newPlace(t, proxy.origin), await newPlace(t, proxy.origin)]
  await writeFile(join(alice.home, 'a.txt'), 'content')
  const sending = alice.run(['send', 'a.txt'])
  const code = await codeOf(sending)
  await said(sending, /Waiting until/)
  sending.child.kill('SIGSTOP')
  const receiving = bob.run(['receive', code, '--yes', '--json'])
  // It has joined, and waits for an answer.
  await eventually(() => /"method":"GET","url":"[^"]*\/joins\/[0-9a-f]{16}\?/.test(server.output()))
  const mend = proxy.breakDown()
  sending.child.kill('SIGCONT')
  await Promise.all([said(sending, /The connection to the server is lost\. Trying again…/), said(receiving, /\{"event":"connection\.lost"\}/)])
  mend()
  t.same([await sending.exit, await receiving.exit], [0, 0], sending.stderr() + receiving.stderr())
  t.match(sending.stderr(), /The connection is back\..*Received and verified by the other side\.\n$/s)
  t.match(receiving.stdout(), /"connection\.back".*"done"/s)
})

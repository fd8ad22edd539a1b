import { mkdir, readFile, stat, symlink, writeFile, chmod } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { Noise } from '../helpers/noise.js'
import { codeOf, said, setUp, stateOf, treeOf } from './program.js'

const CONTENT = new Noise('a file').take(3_000_001)

t.test('a file arrives as it was, and both sides are told', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'a file.bin'), CONTENT)
  const sending = alice.run(['send', 'a file.bin', '--verify'])
  const receiving = bob.run(['receive', await codeOf(sending), '--yes', '--verify', '-o', 'new folder'])
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  t.equal(Buffer.compare(await readFile(join(bob.home, 'new folder', 'a file.bin')), CONTENT), 0)
  t.equal((await stat(join(bob.home, 'new folder', 'a file.bin'))).mtime.getTime(), (await stat(join(alice.home, 'a file.bin'))).mtime.getTime())
  t.match(sending.stderr(), /Received and verified by the other side\.\n$/)
  t.match(receiving.stderr(), /2\.86 MiB {2}a file\.bin\n.*Received and verified 1 file\.\n$/s)
  const [, verifier = ''] = /Verifier: ([0-9a-f]{4}(?: [0-9a-f]{4}){3})\n/.exec(receiving.stderr()) ?? []
  t.not(verifier, '')
  t.ok(sending.stderr().includes(`Verifier: ${verifier}`), 'the same on both sides')
  t.same([sending.stdout(), receiving.stdout()], ['', ''], 'nothing where results go')
  t.same([await stateOf(alice), await stateOf(bob)], [[], []])
})

t.test('a folder arrives with what is in it, and no link', async (t) => {
  const { alice, bob } = await setUp(t)
  const tree = join(alice.home, 'tree')
  await mkdir(join(tree, 'sub', 'empty'), { recursive: true })
  await writeFile(join(tree, 'run.sh'), '#!/bin/sh\n')
  await chmod(join(tree, 'run.sh'), 0o755)
  await writeFile(join(tree, 'sub', 'nothing'), '')
  await writeFile(join(tree, 'sub', 'large'), CONTENT)
  await symlink('/etc/passwd', join(tree, 'link'))
  for (let i = 0; i < 300; i++) await writeFile(join(tree, 'sub', `small-${i}`), `content ${i}`)
  const sending = alice.run(['send', 'tree'])
  const receiving = bob.run(['receive', await codeOf(sending), '--yes'])
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  t.same(await treeOf(join(bob.home, 'tree')), (await treeOf(tree)).filter((name) => name !== 'link'))
  t.match(sending.stderr(), /Left out, .*: tree\/link\n/)
  for (const name of ['run.sh', 'sub/nothing', 'sub/large', 'sub/small-0', 'sub/small-299']) {
    t.equal(Buffer.compare(await readFile(join(bob.home, 'tree', name)), await readFile(join(tree, name))), 0, name)
  }
  t.same([(await stat(join(bob.home, 'tree/run.sh'))).mode & 0o100, (await stat(join(bob.home, 'tree/sub/large'))).mode & 0o100], [0o100, 0])
})

t.test('standard input and a text, for two receivers; what is there is not replaced', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(bob.home, 'dump.sql'), 'older')
  const sending = alice.run(['send', '-', '--name', 'dump.sql', '--text', 'see \x1b]0;owned\x07\x1b[31mthis\u202E', '--receivers', '2'], { input: CONTENT })
  const code = await codeOf(sending)
  const receiving = [bob.run(['receive', code, '--yes']), bob.run(['receive', code, '--yes', '-o', 'second'])]
  t.same(await Promise.all([sending, ...receiving].map(({ exit }) => exit)), [0, 0, 0], receiving.map(({ stderr }) => stderr()).join() + sending.stderr())
  t.match(sending.stderr(), /Received and verified by all 2 receivers\./)
  t.same(receiving.map(({ stdout }) => stdout()), ['see this\n', 'see this\n'])
  t.equal(await readFile(join(bob.home, 'dump.sql'), 'utf8'), 'older')
  for (const name of ['dump (2).sql', 'second/dump.sql']) t.equal(Buffer.compare(await readFile(join(bob.home, name)), CONTENT), 0, name)
})

t.test('--force replaces what is there', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'x'), 'newer')
  await writeFile(join(bob.home, 'x'), 'older')
  const sending = alice.run(['send', 'x'])
  const receiving = bob.run(['receive', await codeOf(sending), '--yes', '--force'])
  t.same([await receiving.exit, await sending.exit], [0, 0])
  t.same(await treeOf(bob.home), ['x'])
  t.equal(await readFile(join(bob.home, 'x'), 'utf8'), 'newer')
})

t.test('the passphrase need not be an argument, nor the code', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'x'), 'content')
  await writeFile(join(alice.home, 'passphrase'), 'a passphrase of my own\n')
  const sending = alice.run(['send', 'x', '--passphrase-file', 'passphrase'])
  const code = await codeOf(sending)
  t.match(code, /^[0-9a-f]{8}-\d{6}$/, 'what somebody chose is never part of a code')
  const without = bob.run(['receive', code, '--yes'])
  t.equal(await without.exit, 2)
  const receiving = bob.run(['receive', '--yes'], { input: `${code}\n`, environment: { LOCAL_SEND_PASSPHRASE: 'a passphrase of my own' } })
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  for (const run of [sending, receiving]) t.notOk((run.stdout() + run.stderr()).includes('of my own'))

  const link = alice.run(['send', 'x'])
  const [, url = ''] = await said(link, /Link {5}(\S+)/)
  const following = bob.run(['receive', '--yes'], { environment: { LOCAL_SEND_CODE: url, LOCAL_SEND_SERVER: 'http://127.0.0.1:9' } })
  t.same([await following.exit, await link.exit], [0, 0], following.stderr())
})

t.test('both directions: what a joiner sends in return arrives before the session ends', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'question'), 'question')
  await writeFile(join(bob.home, 'answer'), CONTENT)
  const sending = alice.run(['send', 'question', '--yes', '-o', 'got'])
  const receiving = bob.run(['receive', await codeOf(sending), '--yes', '--send', 'answer'])
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  t.equal(Buffer.compare(await readFile(join(alice.home, 'got', 'answer')), CONTENT), 0)
  t.equal(await readFile(join(bob.home, 'question'), 'utf8'), 'question')

  const again = alice.run(['send', 'question'])
  const refused = bob.run(['receive', await codeOf(again), '--yes', '--send', 'answer', '-o', 'second'])
  t.same([await refused.exit, await again.exit], [5, 0], 'what is not taken is told')
})

t.test('scripts get one object a line', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'x'), CONTENT)
  const sending = alice.run(['send', 'x', '--json'])
  const [, code = ''] = await said(sending, /"code":"([^"]+)"/)
  const receiving = bob.run(['receive', code, '--yes', '--json'])
  t.same([await receiving.exit, await sending.exit], [0, 0])
  t.same([receiving.stderr(), sending.stderr()], ['', ''])
  const eventsOf = (text: string): Array<Record<string, unknown>> => text.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ event }) => event !== 'progress' && event !== 'left')
  t.same(eventsOf(sending.stdout()).map(({ event }) => event).sort(), ['done', 'file.sent', 'joined', 'sent', 'session'])
  const received = eventsOf(receiving.stdout())
  t.same(received.map(({ event }) => event), ['joined', 'offered', 'file.received', 'done'])
  t.match(received[2], { name: 'x', path: join(bob.home, 'x'), size: CONTENT.length })
  const failing = bob.run(['receive', 'nonsense', '--json'])
  t.equal(await failing.exit, 3)
  t.match(JSON.parse(failing.stdout()), { event: 'error', code: 'CODE_INVALID', exit: 3 })
})

t.test('a session that the server encrypts', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'x'), CONTENT)
  await writeFile(join(alice.home, 'y'), 'small')
  const sending = alice.run(['send', 'x', 'y', '--managed'])
  const code = await codeOf(sending)
  t.match(sending.stderr(), /receive \S+ --server \S+ --managed\n/)
  const unexpected = bob.run(['receive', code, '--yes'])
  t.equal(await unexpected.exit, 1)
  t.match(unexpected.stderr(), /another kind than expected.*--managed/)
  const receiving = bob.run(['receive', code, '--yes', '--managed'])
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  t.equal(Buffer.compare(await readFile(join(bob.home, 'x')), CONTENT), 0)
  t.equal(await readFile(join(bob.home, 'y'), 'utf8'), 'small')
})

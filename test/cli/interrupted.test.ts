import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { checkArrived, CONTENT, kill, transferMidway } from './midway.js'
import { codeOf, said, setUp, stateOf, treeOf, type Place } from './program.js'

t.test('a sender that is killed goes on with the same code, and the receiver with it', async (t) => {
  const { alice, bob, sending, receiving, code, held } = await transferMidway(t)
  await kill(sending)
  held.cut()
  const file = (await treeOf(bob.home))[0]
  const again = alice.run(['send', '--resume', code])
  t.same([await again.exit, await receiving.exit], [0, 0], again.stderr() + receiving.stderr())
  t.match(file, /^\.large\.bin\..*\.part$/)
  await checkArrived(t, { alice, bob })
})

t.test('Ctrl-C at the receiver is told to the sender and leaves nothing', async (t) => {
  const { alice, bob, sending, receiving, held } = await transferMidway(t)
  receiving.child.kill('SIGINT')
  t.equal(await receiving.exit, 130)
  held.cut()
  t.equal(await sending.exit, 5, sending.stderr())
  t.match(sending.stderr(), /Somebody has left\.\n.*The other side has left without taking everything\.\n$/s)
  t.same(await treeOf(bob.home), [])
  t.same([await stateOf(alice), await stateOf(bob)], [[], []])
})

t.test('whoever is not asked and does not say yes declines', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'x'), 'content')
  const sending = alice.run(['send', 'x'])
  const receiving = bob.run(['receive', await codeOf(sending)])
  t.same([await receiving.exit, await sending.exit], [5, 5], receiving.stderr() + sending.stderr())
  t.match(receiving.stderr(), /Declined/)
  t.same(await treeOf(bob.home), [])
})

t.test('a wrong passphrase is told to both, and costs an attempt', async (t) => {
  const { alice, bob } = await setUp(t)
  await writeFile(join(alice.home, 'x'), 'content')
  const sending = alice.run(['send', 'x'])
  const code = await codeOf(sending)
  const wrong = `${code.slice(0, 15)}-zoo-zoo-zoo`
  const refused = bob.run(['receive', wrong, '--yes'])
  t.equal(await refused.exit, 3, refused.stderr())
  await said(sending, /wrong passphrase \(1 of 5 attempts\)/)
  t.notOk(refused.stderr().includes('zoo'))
  const right = bob.run(['receive', code, '--yes'])
  t.same([await right.exit, await sending.exit], [0, 0], right.stderr() + sending.stderr())
})

t.test('what cannot begin says why, before anything is sent', async (t) => {
  const { alice, bob, server } = await setUp(t, { MAX_FILE_SIZE: '1MB', MAX_FILES: '3' })
  await writeFile(join(alice.home, 'large.bin'), CONTENT)
  for (const name of ['a', 'b', 'c', 'd']) await writeFile(join(alice.home, name), name)
  await writeFile(join(alice.home, 'vast.bin'), '')
  await truncate(join(alice.home, 'vast.bin'), 2 ** 41)
  const cases: Array<[Place, string[], number, RegExp]> = [
    [alice, ['send', 'vast.bin'], 1, /vast\.bin has 2\.00 TiB, and the server accepts 977 KiB at most\.\n$/],
    [alice, ['send', 'a', 'large.bin'], 1, /large\.bin has 11\.4 MiB, and the server accepts 977 KiB at most\.\n$/],
    [alice, ['send', 'a', 'b', 'c', 'd'], 1, /There are 4 files, and the server accepts 2 files in a session\.\n$/],
    [alice, ['send', 'missing'], 2, /^missing cannot be sent: there is no such file or folder\.\n$/],
    [alice, ['send'], 2, /^Name what is to be sent/],
    [alice, ['send', 'a', '--server', 'http://127.0.0.1:59999'], 1, /cannot be reached.*http:\/\/127\.0\.0\.1:59999\. \(ECONNREFUSED\)\n$/],
    [alice, ['send', '--resume', '00000000-000000-zoo-zoo-zoo'], 2, /nothing to go on with/],
    [alice, ['send', 'a', '--receivers', '0'], 2, /whole number from 1 on/],
    [alice, ['send', 'a', '--receivers', '21'], 1, /does not admit so many to a session\. Ask for fewer\.\n$/],
    [bob, ['receive', '--passphrase-file', '-'], 2, /^Standard input cannot be both/],
    [bob, ['receive', '00000000-000000-zoo-zoo-zoo'], 4, /There is no such session/],
    [bob, ['receive', 'hello'], 3, /This is not a code/]
  ]
  for (const [place, args, code, sentence] of cases) {
    const run = place.run(args)
    t.equal(await run.exit, code, `${args.join(' ')}: ${run.stderr()}`)
    t.match(run.stderr(), sentence)
    t.same(await stateOf(place), [])
  }
  t.notOk(/"upload"|PATCH/.test(server.output()))
})

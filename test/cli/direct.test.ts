import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { eventually } from '../helpers/events.js'
import { Noise } from '../helpers/noise.js'
import { startProxy, type Proxy } from '../helpers/proxy.js'
import { CONTENT, checkArrived, kill, partialSize, transferMidway } from './midway.js'
import { codeOf, newPlace, said, setUp, stateOf, treeOf, type Place, type Run } from './program.js'

const FROM_HERE = /The other side takes it from this machine\.\n/
const FROM_THERE = /It comes from the other side's machine\.\n/

interface Taking {
  readonly alice: Place
  readonly bob: Place
  readonly sending: Run
  readonly receiving: Run
  readonly code: string
  /** Alice's way to the server. */
  readonly proxy: Proxy
  readonly vast: Uint8Array<ArrayBuffer>
}

/** A file that lasts long enough to be interrupted, just as it begins to go past the server. */
async function takeDirectly (t: Test): Promise<Taking> {
  const { server, bob } = await setUp(t, { MAX_FILE_SIZE: '1GiB' })
  const proxy = await startProxy(t, server.origin)
  const alice = await newPlace(t, proxy.origin)
  const vast = new Noise('a vast file').take(300_000_000)
  await writeFile(join(alice.home, 'large.bin'), vast)
  const sending = alice.run(['send', 'large.bin'])
  const code = await codeOf(sending)
  const receiving = bob.run(['receive', code, '--yes'])
  await said(receiving, FROM_THERE)
  return { alice, bob, sending, receiving, code, proxy, vast }
}

/** Whether a file goes past the server that gets no more than the beginning of it. */
async function goesDirectly (t: Test, send: readonly string[], receive: readonly string[], surroundings: Record<string, string> = {}): Promise<readonly boolean[]> {
  const { sending, receiving, held } = await transferMidway(t, { surroundings, send: ['large.bin', ...send], receive: (bob, code) => bob.run(['receive', code, '--yes', ...receive]) })
  held.cut()
  const exits = [await receiving.exit, ...send.includes('--receivers') ? [] : [await sending.exit]]
  if (exits.some((exit) => exit !== 0)) throw new Error(receiving.stderr() + sending.stderr())
  return [FROM_HERE.test(sending.stderr()), FROM_THERE.test(receiving.stderr())]
}

t.test('what the server is still to get, the receiver takes from the sender', async (t) => {
  const { server, bob } = await setUp(t)
  const proxy = await startProxy(t, server.origin)
  const alice = await newPlace(t, proxy.origin)
  await writeFile(join(alice.home, 'large.bin'), CONTENT)
  const held = proxy.hold(1_000_000)
  const sending = alice.run(['send', 'large.bin'])
  const code = await codeOf(sending)
  await held
  const receiving = bob.run(['receive', code, '--yes'])
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  t.match(sending.stderr(), FROM_HERE)
  t.match(receiving.stderr(), FROM_THERE)
  t.match(sending.stderr(), /Received and verified by the other side\.\n$/)
  t.match(receiving.stderr(), /Received and verified 1 file\.\n$/)
  await checkArrived(t, { alice, bob })
})

t.test('not where one side does not want it, nor where others are to have it, too', async (t) => {
  t.same(await goesDirectly(t, ['--no-direct'], []), [false, false])
  t.same(await goesDirectly(t, [], [], { LOCAL_SEND_NO_DIRECT: '1' }), [false, false])
  t.same(await goesDirectly(t, ['--receivers', '2'], []), [false, false])
  t.same(await goesDirectly(t, ['--max-downloads', '3'], []), [false, false])
  t.same(await goesDirectly(t, [], ['--no-direct']), [false, false])
})

t.test('a sender that is killed while the receiver takes it from him goes on by the server', async (t) => {
  const { alice, bob, sending, receiving, code, vast } = await takeDirectly(t)
  await kill(sending)
  t.ok(await partialSize(bob) < vast.length, 'in the middle')
  const again = alice.run(['send', '--resume', code])
  t.same([await again.exit, await receiving.exit], [0, 0], again.stderr() + receiving.stderr())
  await checkArrived(t, { alice, bob }, vast)
})

t.test('a receiver that is killed meanwhile goes on where he was', async (t) => {
  const { alice, bob, sending, receiving, code, vast } = await takeDirectly(t)
  await eventually(async () => await partialSize(bob) > 0, 50)
  await kill(receiving)
  const again = bob.run(['receive', code, '--resume', '--yes'])
  t.same([await again.exit, await sending.exit], [0, 0], again.stderr() + sending.stderr())
  await checkArrived(t, { alice, bob }, vast)
})

t.test('it needs no server between its beginning and its end', async (t) => {
  const { alice, bob, sending, receiving, proxy, vast } = await takeDirectly(t)
  const repair = proxy.breakDown()
  await eventually(async () => (await treeOf(bob.home)).includes('large.bin'), 50)
  repair()
  t.same([await receiving.exit, await sending.exit], [0, 0], receiving.stderr() + sending.stderr())
  t.equal(Buffer.compare(await readFile(join(bob.home, 'large.bin')), vast), 0)
  t.same([await stateOf(alice), await stateOf(bob)], [[], []])
})

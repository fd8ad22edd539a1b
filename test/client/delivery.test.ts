import t, { type Test } from 'tap'
import { Delivery } from '../../client/delivery.js'
import { newHostState, type HostState } from '../../client/host-state.js'
import { hostJoins } from '../../client/host.js'
import { joinSession } from '../../client/join.js'
import { confirmReceived } from '../../client/receive.js'
import { apiOf } from '../../client/session.js'
import { bytesSource } from '../../client/source.js'
import type { FileId } from '../../lib/ids.js'
import { newJoinId } from '../../lib/new-ids.js'
import { PASSWORD } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer } from '../helpers/server.js'
import { startHosting } from './fixtures/hosting.js'
import { memberOf } from './fixtures/member.js'
import { startStub } from './fixtures/stub.js'

const bob = newJoinId()
const TIME = '2030-01-01T00:00:00.000Z'

/** A delivery of nothing to two, and a server that says how many of them are there. */
async function deliveryTo (t: Test, host: HostState) {
  const there = { joiners: 0, failures: 0 }
  const { origin } = await startStub(t, ({ path }) => {
    if (there.failures-- > 0) return { status: 502 }
    if (path.includes('/files')) return { body: { files: [], next_cursor: null } }
    const limits = { max_file_size: 1, max_session_size: 1, max_files: 1, max_joiners: 2, max_downloads: null }
    const participants = ['creator', ...Array<string>(there.joiners).fill('joiner')].map((role) => ({ role, joined_at: TIME }))
    return { body: { session_id: member.sessionId, status: 'joined', kind: 'end-to-end', role: 'creator', participants, expires_at: TIME, limits } }
  })
  const member = memberOf(origin, 2)
  const nothing = (): void => {}
  const delivery = new Delivery({ connection: { server: origin }, member, sources: [], receivers: 2, host, signal: new AbortController().signal, onSent: nothing, onFailed: nothing, onProgress: nothing })
  return { there, delivery }
}

t.test('who was let in without the run before knowing it, and has left since, is not waited for', async (t) => {
  const { origin } = await startServer(t)
  const connection = { server: origin }
  const hosting = await startHosting(t, connection, { password: PASSWORD })
  const { member } = await joinSession(connection, { code: hosting.code, password: PASSWORD })
  await eventually(() => hosting.log.includes('joined'))
  await hosting.stop()
  await apiOf(connection, member).leave()

  const state = hosting.states.find(({ admitting = [] }) => admitting.length === 1) ?? newHostState()
  const stop = new AbortController()
  const nothing = (): void => {}
  const delivery = new Delivery({ connection, member: hosting.member, sources: [bytesSource(new Uint8Array(1), { name: 'a' })], receivers: 1, host: state, signal: stop.signal, onSent: nothing, onFailed: nothing, onProgress: nothing })
  await delivery.send()
  const running = hostJoins(connection, hosting.member, {
    password: PASSWORD,
    state,
    onState: () => Promise.resolve(),
    onRefused: ({ joinId, reason }) => { if (reason === 'gone') delivery.onGone(joinId) },
    onEvent: (event) => {
      if (event.type === 'reset') delivery.catchUp().catch((error: unknown) => { t.fail(String(error)) })
    },
    signal: stop.signal
  })
  await Promise.race([delivery.settled, running])
  t.equal(delivery.receivers, 0)
  stop.abort()
  await running
})

t.test('what has been received while nobody listened is told of as what is received then', async (t) => {
  const { origin } = await startServer(t)
  const connection = { server: origin }
  const hosting = await startHosting(t, connection, { password: PASSWORD })
  const { member } = await joinSession(connection, { code: hosting.code, password: PASSWORD })
  await eventually(() => hosting.log.includes('joined'))
  const sent: FileId[] = []
  const received: FileId[] = []
  const nothing = (): void => {}
  const delivery = new Delivery({
    connection,
    member: hosting.member,
    sources: ['a', 'b'].map((name) => bytesSource(new Uint8Array(1), { name })),
    receivers: 1,
    signal: new AbortController().signal,
    onSent: ({ fileId }) => { sent.push(fileId) },
    onFailed: nothing,
    onProgress: nothing,
    onReceived: (fileId) => { received.push(fileId) }
  })
  await delivery.send()
  const [first, second] = sent
  if (first === undefined || second === undefined) throw new Error('Both are sent.')
  await confirmReceived(connection, member, [first])
  await delivery.catchUp()
  t.same(received, [first])
  delivery.onEvent({ type: 'file.received', fileId: second, role: 'joiner', joinId: bob })
  t.same(received, [first, second])
})

t.test('a server that is not there at once is asked again who has joined', async (t) => {
  const { there, delivery } = await deliveryTo(t, { ...newHostState(), joined: [bob] })
  there.failures = 2
  await delivery.catchUp()
  t.ok(there.failures < 0)
})

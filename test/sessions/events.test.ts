import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Draining } from '../../lib/draining.js'
import { newFileId, newSessionId } from '../../lib/new-ids.js'
import { ServiceEvents } from '../../lib/service-events.js'
import { LocalSendError } from '../../lib/errors.js'
import { EventStreams, MAX_STREAMS } from '../../lib/sessions/event-streams.js'
import { MemoryEventHub } from '../../lib/sessions/memory-event-hub.js'
import { MemoryStore } from '../../lib/sessions/memory-store.js'
import { PasswordStretching } from '../../lib/sessions/password-stretching.js'
import { SessionEvents } from '../../lib/sessions/session-events.js'
import { Sessions } from '../../lib/sessions/sessions.js'
import { Transfers } from '../../lib/sessions/transfers.js'
import { eventHubContract, locked, recorder } from './event-hub-contract.js'
import { DAY, HOUR, LIMITS, newFile, newJoiner, newRecord, NOW } from './records.js'

eventHubContract(t, () => {
  const hub = new MemoryEventHub()
  return Promise.resolve([hub, hub] as const)
})

t.test('the hub knows only sessions that somebody has listened to, until they are closed', async (t) => {
  const hub = new MemoryEventHub()
  const session = newSessionId()
  hub.publish(session, locked)
  t.equal(hub.size, 0)
  const listener = recorder()
  await hub.subscribe(session, undefined, listener)
  t.equal(hub.size, 1)
  hub.publish(session, { type: 'session.closed' })
  hub.publish(session, locked)
  t.equal(hub.size, 0)
  t.same(listener.types(), ['session.closed'], 'nothing comes behind the last event')
})

t.test('progress is published now and then, and at last as it is', async (t) => {
  const hub = new MemoryEventHub()
  const session = newSessionId()
  const listener = recorder()
  await hub.subscribe(session, undefined, listener)
  const offsets = () => listener.heard.flatMap(({ event }) => event.type === 'file.progress' ? [event.offset] : [])
  const report = (events: SessionEvents, id = newFileId()) => {
    for (const offset of [1, 2, 3]) events.fileProgress(session, { id, offset, size: null })
    return id
  }
  const seldom = new SessionEvents(hub, new ServiceEvents(), HOUR)
  const first = report(seldom)
  report(seldom)
  t.same(offsets(), [1, 1], 'each upload for itself')
  seldom.fileReady(session, newFile(3, first))
  seldom.fileProgress(session, { id: first, offset: 9, size: null })
  t.same(offsets(), [1, 1, 9], 'what was held back is gone with the upload')

  const often = new SessionEvents(hub, new ServiceEvents(), 1)
  const id = report(often)
  while (!offsets().includes(3)) await delay(1)
  t.same(offsets(), [1, 1, 9, 1, 3], 'the latest follows')
  for (const end of [() => { often.fileReady(session, newFile(3, id)) }, () => { often.fileDeleted(session, { id, name: '' }) }]) {
    report(often, id)
    end()
    const before = listener.heard.length
    await delay(20)
    t.equal(listener.heard.length, before, 'none comes behind the end')
  }
})

async function setUpStreams () {
  const hub = new MemoryEventHub()
  const service = new ServiceEvents()
  const store = new MemoryStore()
  const joiner = newJoiner()
  const record = newRecord({ joiners: [joiner] })
  await store.add(record, 10)
  const settings = { limits: LIMITS, maxJoiners: 1, maxSessions: 10, idleTimeout: HOUR, maxAge: DAY }
  const sessions = new Sessions({ store, transfers: new Transfers(service), events: new SessionEvents(hub, service), stretching: new PasswordStretching(), draining: new Draining(service), settings, clock: () => NOW })
  return { hub, sessions, id: record.id, joiner: joiner.id, streams: new EventStreams(sessions, hub) }
}

t.test('a stream ends with its participant or its session, and is let go once it is closed', async (t) => {
  const { hub, sessions, streams, id, joiner } = await setUpStreams()
  const [ofCreator, ofJoiner] = [recorder(), recorder()]
  const closeCreator = await streams.open(id, 'creator', undefined, ofCreator)
  const closeJoiner = await streams.open(id, joiner, undefined, ofJoiner)
  await sessions.leave(id, joiner)
  t.same([ofCreator.types(), ofCreator.ends], [['participant.left'], 0])
  t.same([ofJoiner.types(), ofJoiner.ends], [['participant.left'], 1])
  closeJoiner()
  await sessions.close(id)
  t.same([ofCreator.types(), ofCreator.ends], [['participant.left', 'session.closed'], 1])
  t.same(ofJoiner.types(), ['participant.left'])
  closeCreator()
  t.same([streams.size, hub.size], [0, 0])
})

t.test('who left, or whose session ended, while the stream was opened is refused, and nothing of it stays', async (t) => {
  const { hub, sessions, streams, id, joiner } = await setUpStreams()
  await sessions.leave(id, joiner)
  const other = recorder()
  const close = await streams.open(id, 'creator', undefined, other)
  await t.rejects(streams.open(id, joiner, undefined, recorder()), { code: 'SESSION_CLOSED' })
  t.equal(other.ends, 0, 'the others go on')
  close()
  await t.rejects(streams.open(newSessionId(), 'creator', undefined, recorder()), { code: 'SESSION_CLOSED' })
  t.same([streams.size, hub.size], [0, 1])
})

t.test('a stream that cannot be opened is not counted, and keeps nothing from stopping', async (t) => {
  const { hub, streams, id } = await setUpStreams()
  const subscribe = hub.subscribe.bind(hub)
  hub.subscribe = () => Promise.reject(new LocalSendError('STORE_UNAVAILABLE'))
  for (let i = 0; i <= MAX_STREAMS; i++) await t.rejects(streams.open(id, 'creator', undefined, recorder()), { code: 'STORE_UNAVAILABLE' })
  hub.subscribe = subscribe
  const close = await streams.open(id, 'creator', undefined, recorder())
  close()
  t.equal(streams.size, 0)
  await streams.stop()
})

t.test('stop ends all streams, waits until they are closed, and refuses new ones', async (t) => {
  const { streams, id } = await setUpStreams()
  const sink = recorder()
  const close = await streams.open(id, 'creator', undefined, sink)
  let stopped = false
  const stopping = streams.stop().then(() => { stopped = true })
  t.equal(sink.ends, 1)
  await delay(1)
  t.notOk(stopped)
  close()
  await stopping
  await t.rejects(streams.open(id, 'creator', undefined, recorder()), { code: 'SERVER_STOPPING' })
})

import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Draining } from '../../lib/draining.js'
import { newFileId, newJoinId, newSessionId } from '../../lib/new-ids.js'
import { ServiceEvents } from '../../lib/service-events.js'
import { EventStreams } from '../../lib/sessions/event-streams.js'
import type { SessionEvent } from '../../lib/sessions/events.js'
import { MemoryEventHub } from '../../lib/sessions/memory-event-hub.js'
import { MemoryStore } from '../../lib/sessions/memory-store.js'
import { PasswordStretching } from '../../lib/sessions/password-stretching.js'
import { SessionEvents } from '../../lib/sessions/session-events.js'
import { Sessions } from '../../lib/sessions/sessions.js'
import { Transfers } from '../../lib/sessions/transfers.js'
import { DAY, HOUR, LIMITS, newFile, newJoiner, newRecord, NOW } from './records.js'

/** Keeps what it is told. */
function recorder () {
  const heard: Array<{ readonly id: string, readonly event: SessionEvent }> = []
  const starts: Array<{ readonly id: string, readonly lost: boolean }> = []
  let ends = 0
  return {
    heard,
    starts,
    get ends () { return ends },
    types: () => heard.map(({ event }) => event.type),
    onStart: (id: string, lost: boolean) => { starts.push({ id, lost }) },
    onEvent: (published: { readonly id: string, readonly event: SessionEvent }) => { heard.push(published) },
    onEnd: () => { ends += 1 }
  }
}

const locked: SessionEvent = { type: 'session.locked' }
const requested = (): SessionEvent => ({ type: 'join.requested', joinId: newJoinId() })

t.test('every listener of a session hears everything, in order, and nothing of other sessions', async (t) => {
  const hub = new MemoryEventHub()
  const session = newSessionId()
  const [first, second, elsewhere] = [recorder(), recorder(), recorder()]
  await hub.subscribe(session, undefined, first)
  await hub.subscribe(newSessionId(), undefined, elsewhere)
  const events = [requested(), requested(), locked]
  hub.publish(session, requested())
  const cancel = await hub.subscribe(session, undefined, second)
  for (const event of events) hub.publish(session, event)
  cancel()
  hub.publish(session, locked)
  t.same(second.heard.map(({ event }) => event), events, 'from when it came until it went')
  t.same(first.heard.slice(1, 4), second.heard)
  t.equal(first.heard.length, 5)
  t.same(elsewhere.heard, [])
  t.same(second.starts, [{ id: first.heard[0]?.id, lost: false }], 'it knows where it began')
})

t.test('who comes back with an id hears what came after it, once', async (t) => {
  const hub = new MemoryEventHub()
  const session = newSessionId()
  const all = recorder()
  await hub.subscribe(session, undefined, all)
  for (let i = 0; i < 100; i++) hub.publish(session, requested())
  const [start = { id: '' }] = all.starts
  for (const [i, id] of [start.id, ...all.heard.map(({ id }) => id)].entries()) {
    const back = recorder()
    const cancel = await hub.subscribe(session, id, back)
    cancel()
    t.same([back.starts, back.heard], [[{ id, lost: false }], all.heard.slice(i)], `after ${i}`)
  }
})

t.test('an id that is too old, or not of this hub, means that events are lost', async (t) => {
  const hub = new MemoryEventHub()
  const session = newSessionId()
  const all = recorder()
  await hub.subscribe(session, undefined, all)
  for (let i = 0; i < 102; i++) hub.publish(session, requested())
  const come = async (id: string) => {
    const back = recorder()
    await hub.subscribe(session, id, back)
    return { ...back.starts[0], heard: back.heard.length }
  }
  const idOf = (i: number): string => all.heard[i]?.id ?? ''
  const last = idOf(101)
  t.same(await come(idOf(1)), { id: idOf(1), lost: false, heard: 100 })
  t.same(await come(idOf(0)), { id: last, lost: true, heard: 0 }, 'one more than is remembered')
  t.same(await come(all.starts[0]?.id ?? ''), { id: last, lost: true, heard: 0 })

  const [epoch = ''] = last.split('-')
  const foreign = [`${'0'.repeat(16)}-101`, `${epoch}-103`, `${epoch}-`, `${epoch}--1`, `${epoch}-1e1`, `${epoch}-${'9'.repeat(30)}`, '101', '', 'x'.repeat(10_000)]
  for (const id of foreign) t.same(await come(id), { id: last, lost: true, heard: 0 }, id.slice(0, 40))
})

t.test('of a file\'s progress only the latest is remembered, so that it drives nothing out', async (t) => {
  const hub = new MemoryEventHub()
  const session = newSessionId()
  const [one, other] = [newFileId(), newFileId()]
  const all = recorder()
  await hub.subscribe(session, undefined, all)
  hub.publish(session, locked)
  for (let offset = 1; offset <= 1000; offset++) {
    for (const fileId of [one, other]) hub.publish(session, { type: 'file.progress', fileId, offset, size: null })
  }
  const back = recorder()
  await hub.subscribe(session, all.starts[0]?.id, back)
  t.equal(all.heard.length, 2001)
  t.same(back.starts.map(({ lost }) => lost), [false])
  t.same(back.heard, [all.heard[0], all.heard.at(-2), all.heard.at(-1)])
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

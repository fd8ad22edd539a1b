/** What every event hub must do (lib/sessions/events.ts). Its test calls this with a way to make hubs that serve the same listeners. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { newFileId, newJoinId, newSessionId } from '../../lib/new-ids.js'
import type { EventSink } from '../../lib/sessions/event-streams.js'
import type { EventHub, PublishedEvent, SessionEvent } from '../../lib/sessions/events.js'

/** Keeps what it is told. */
export interface Recorder extends EventSink {
  readonly heard: readonly PublishedEvent[]
  readonly starts: ReadonlyArray<{ readonly id: string, readonly lost: boolean }>
  readonly ends: number
  types (): Array<SessionEvent['type']>
  /** Resolves when it has heard so many. */
  hears (count: number): Promise<void>
}

export function recorder (): Recorder {
  const heard: Array<{ readonly id: string, readonly event: SessionEvent }> = []
  const starts: Array<{ readonly id: string, readonly lost: boolean }> = []
  let ends = 0
  return {
    heard,
    starts,
    get ends () { return ends },
    types: () => heard.map(({ event }) => event.type),
    async hears (count: number): Promise<void> {
      while (heard.length < count) await delay(1)
    },
    onStart: (id: string, lost: boolean) => { starts.push({ id, lost }) },
    onEvent: (published: { readonly id: string, readonly event: SessionEvent }) => { heard.push(published) },
    onEnd: () => { ends += 1 }
  }
}

export const locked: SessionEvent = { type: 'session.locked' }
export const requested = (): SessionEvent => ({ type: 'join.requested', joinId: newJoinId() })

/** @param create - gives the hub that is listened to and the one that is published to: the same, or of another process */
export function eventHubContract (t: Test, create: (t: Test) => Promise<readonly [EventHub, EventHub]>): void {
  t.test('every listener of a session hears everything, in order, and nothing of other sessions', async (t) => {
    const [here, there] = await create(t)
    const session = newSessionId()
    const [first, second, elsewhere] = [recorder(), recorder(), recorder()]
    await here.subscribe(session, undefined, first)
    await here.subscribe(newSessionId(), undefined, elsewhere)
    const events = [requested(), requested(), locked]
    there.publish(session, requested())
    await first.hears(1)
    const cancel = await here.subscribe(session, undefined, second)
    for (const event of events) there.publish(session, event)
    await second.hears(3)
    cancel()
    there.publish(session, locked)
    await first.hears(5)
    t.same(second.heard.map(({ event }) => event), events, 'from when it came until it went')
    t.same(first.heard.slice(1, 4), second.heard)
    t.equal(first.heard.length, 5)
    t.same(elsewhere.heard, [])
    t.same(second.starts, [{ id: first.heard[0]?.id, lost: false }], 'it knows where it began')
  })

  t.test('who comes back with an id hears what came after it, once', async (t) => {
    const [here, there] = await create(t)
    const session = newSessionId()
    const all = recorder()
    await here.subscribe(session, undefined, all)
    for (let i = 0; i < 100; i++) there.publish(session, requested())
    await all.hears(100)
    const [start = { id: '' }] = all.starts
    const ids = [start.id, ...all.heard.map(({ id }) => id)]
    for (const i of [0, 1, 50, 99, 100]) {
      const id = ids[i] ?? ''
      const back = recorder()
      const cancel = await there.subscribe(session, id, back)
      cancel()
      t.same([back.starts, back.heard], [[{ id, lost: false }], all.heard.slice(i)], `after ${i}`)
    }
  })

  t.test('an id that is too old, or not of this hub, means that events are lost', async (t) => {
    const [here, there] = await create(t)
    const session = newSessionId()
    const all = recorder()
    await here.subscribe(session, undefined, all)
    for (let i = 0; i < 102; i++) there.publish(session, requested())
    await all.hears(102)
    const come = async (id: string) => {
      const back = recorder()
      await there.subscribe(session, id, back)
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
    const [here, there] = await create(t)
    const session = newSessionId()
    const [one, other] = [newFileId(), newFileId()]
    const all = recorder()
    await here.subscribe(session, undefined, all)
    there.publish(session, locked)
    for (let offset = 1; offset <= 100; offset++) {
      for (const fileId of [one, other]) there.publish(session, { type: 'file.progress', fileId, offset, size: null })
    }
    await all.hears(201)
    const back = recorder()
    await there.subscribe(session, all.starts[0]?.id, back)
    t.equal(all.heard.length, 201)
    t.same(back.starts.map(({ lost }) => lost), [false])
    t.same(back.heard, [all.heard[0], all.heard.at(-2), all.heard.at(-1)])
  })

  t.test('nothing comes behind the end of a session, and of what was before nothing stays', async (t) => {
    const [here, there] = await create(t)
    const session = newSessionId()
    const [listener, other] = [recorder(), recorder()]
    await here.subscribe(session, undefined, listener)
    there.publish(session, { type: 'session.closed' })
    await listener.hears(1)
    await there.subscribe(session, undefined, other)
    there.publish(session, locked)
    await other.hears(1)
    t.same(listener.types(), ['session.closed'])
    const back = recorder()
    await there.subscribe(session, listener.starts[0]?.id, back)
    t.match(back.starts, [{ lost: true }])
  })
}

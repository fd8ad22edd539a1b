/** What every session store must do (lib/sessions/store.ts). Its test calls this with a way to make an empty one, once or more. */

import type { Test } from 'tap'
import type { SessionId } from '../../lib/ids.js'
import { newSessionId } from '../../lib/new-ids.js'
import type { SessionStore } from '../../lib/sessions/store.js'
import type { Changed, SessionRecord } from '../../lib/sessions/session.js'
import { HOUR, newFile, newJoiner, newRecord, NOW } from './records.js'

const MANY = 1000

export async function allIds (store: SessionStore): Promise<SessionId[]> {
  const ids: SessionId[] = []
  for await (const { id } of store.all()) ids.push(id)
  return ids.sort()
}

/** @param managed - what becomes of managed sessions when the process ends */
export function sessionStoreContract (t: Test, managed: 'volatile' | 'durable', create: (t: Test) => Promise<SessionStore>): void {
  t.test('add, then get gives the record back, every field of it', async (t) => {
    const store = await create(t)
    const record = newRecord({ files: [newFile()], joiners: [newJoiner()], limits: { maxDownloads: 3 } })
    t.equal(await store.add(record, MANY), 'added')
    t.same(await store.get(record.id), record)
    t.equal(await store.get(newSessionId()), undefined)
  })

  t.test('add refuses an id that is taken, and leaves its record alone', async (t) => {
    const store = await create(t)
    const record = newRecord()
    await store.add(record, MANY)
    t.equal(await store.add(newRecord({ id: record.id, verificationCode: '999999' }), MANY), 'taken')
    t.equal((await store.get(record.id))?.verificationCode, record.verificationCode)
  })

  t.test('add refuses more sessions than there may be, until one is deleted', async (t) => {
    const store = await create(t)
    const records = [newRecord(), newRecord(), newRecord()]
    const outcomes = []
    for (const record of records) outcomes.push(await store.add(record, 2))
    t.same(outcomes, ['added', 'added', 'full'])
    const [first = newRecord(), , third = newRecord()] = records
    t.equal(await store.get(third.id), undefined)
    t.equal(await store.add(first, 2), 'taken', 'a taken id is what the caller can do something about')
    await store.delete(first.id)
    t.equal(await store.add(third, 2), 'added')
  })

  t.test('add is exact when many come at once', async (t) => {
    const store = await create(t)
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => store.add(newRecord(), 10)))
    t.equal(outcomes.filter((outcome) => outcome === 'added').length, 10)
    t.equal((await allIds(store)).length, 10)
    const twins = Array.from({ length: 10 }, () => newRecord({ id: newSessionId() }))
    const sameId = await Promise.all(twins.map((twin) => store.add({ ...twin, id: twins[0]?.id ?? twin.id }, MANY)))
    t.equal(sameId.filter((outcome) => outcome === 'added').length, 1)
  })

  t.test('update keeps the new record and hands out the outcome', async (t) => {
    const store = await create(t)
    const record = newRecord()
    await store.add(record, MANY)
    const changed = await store.update(record.id, (current) => ({ record: { ...current, wrongCodes: current.wrongCodes + 1 }, outcome: 'counted' as const }))
    t.same(changed, { outcome: 'counted' })
    t.equal((await store.get(record.id))?.wrongCodes, 1)
    t.same(await store.update(record.id, (current) => ({ record: current, outcome: undefined })), { outcome: undefined }, 'an outcome may be undefined')
  })

  t.test('update of an unknown session says so and changes nothing', async (t) => {
    const store = await create(t)
    let called = false
    const change = (record: SessionRecord): Changed<true> => {
      called = true
      return { record, outcome: true }
    }
    t.equal(await store.update(newSessionId(), change), undefined)
    t.notOk(called)
    t.same(await allIds(store), [])
  })

  t.test('an update that throws leaves the record as it was', async (t) => {
    const store = await create(t)
    const record = newRecord()
    await store.add(record, MANY)
    await t.rejects(async () => { await store.update(record.id, () => { throw new Error('a bug') }) }, /a bug/)
    t.same(await store.get(record.id), record)
    t.ok(await store.update(record.id, (current) => ({ record: current, outcome: true })), 'and the store can be used')
  })

  t.test('100 updates at once are applied one after the other, to this record only', async (t) => {
    const store = await create(t)
    const [record, other] = [newRecord(), newRecord()]
    await store.add(record, MANY)
    await store.add(other, MANY)
    const outcomes = await Promise.all(Array.from({ length: 100 }, () =>
      store.update(record.id, (current) => ({ record: { ...current, wrongCodes: current.wrongCodes + 1 }, outcome: current.wrongCodes }))))
    t.same(outcomes.map((changed) => changed?.outcome).sort((a = -1, b = -1) => a - b), Array.from({ length: 100 }, (_, i) => i))
    t.equal((await store.get(record.id))?.wrongCodes, 100)
    t.same(await store.get(other.id), other)
  })

  t.test('of many who delete a session, one gets its record', async (t) => {
    const store = await create(t)
    const record = newRecord()
    await store.add(record, MANY)
    const got = await Promise.all(Array.from({ length: 5 }, () => store.delete(record.id)))
    t.same(got.filter((one) => one !== undefined), [record])
    t.equal(await store.get(record.id), undefined)
    t.equal(await store.delete(record.id), undefined)
  })

  t.test('nothing brings a deleted session back', async (t) => {
    const store = await create(t)
    const record = newRecord()
    await store.add(record, MANY)
    const [, , updated] = await Promise.all([
      store.delete(record.id),
      store.touch(record.id, NOW + HOUR),
      store.update(record.id, (current) => ({ record: current, outcome: true }))
    ])
    t.equal(updated, undefined)
    t.equal(await store.get(record.id), undefined)
    t.same(await allIds(store), [])
  })

  t.test('delete hands out the record with all changes', async (t) => {
    const store = await create(t)
    const record = newRecord()
    const file = newFile()
    await store.add(record, MANY)
    await store.update(record.id, (current) => ({ record: { ...current, files: [file] }, outcome: true }))
    t.same((await store.delete(record.id))?.files, [file])
  })

  t.test('touch never sets back, and changes nothing else', async (t) => {
    const store = await create(t)
    const record = newRecord()
    await store.add(record, MANY)
    await store.touch(record.id, NOW + 20)
    await store.touch(record.id, NOW + 10)
    await Promise.all([NOW + 5, NOW + 30, NOW - HOUR, NOW + 25].map((at) => store.touch(record.id, at)))
    t.same(await store.get(record.id), { ...record, lastUsedAt: NOW + 30 })
    await store.touch(newSessionId(), NOW)
    t.same(await allIds(store), [record.id], 'an unknown id is not made known')
  })

  t.test('a touch between an update\'s reading and writing is not lost, nor is the update', async (t) => {
    const store = await create(t)
    const record = newRecord()
    await store.add(record, MANY)
    await Promise.all([
      store.update(record.id, (current) => ({ record: { ...current, wrongCodes: 1 }, outcome: true })),
      store.touch(record.id, NOW + 5),
      store.update(record.id, (current) => ({ record: { ...current, wrongPasswords: 1 }, outcome: true }))
    ])
    t.match(await store.get(record.id), { wrongCodes: 1, wrongPasswords: 1, lastUsedAt: NOW + 5 })
  })

  t.test('expired names those whose time is over, without removing them', async (t) => {
    const store = await create(t)
    const idle = newRecord()
    const used = newRecord({ lastUsedAt: NOW + 2 * HOUR })
    const ended = newRecord({ lastUsedAt: NOW + 2 * HOUR, endsAt: NOW + HOUR })
    for (const record of [idle, used, ended]) await store.add(record, MANY)
    t.same(await store.expired(NOW + HOUR - 1), [])
    t.same([...await store.expired(NOW + HOUR)].sort(), [idle.id, ended.id].sort())
    await store.touch(idle.id, NOW + HOUR)
    t.same(await store.expired(NOW + HOUR), [ended.id], 'a use comes before the sweep')
    t.ok(await store.get(ended.id))
  })

  t.test('withEndedFiles gives those with a file whose time is over, until it is removed', async (t) => {
    const store = await create(t)
    const [early, late, never] = [newRecord(), newRecord(), newRecord()]
    for (const record of [early, late, never]) await store.add(record, MANY)
    const addFile = (id: SessionId, endsAt: number | null): Promise<unknown> =>
      store.update(id, (record) => ({ record: { ...record, files: [...record.files, { ...newFile(), endsAt }] }, outcome: true }))
    await Promise.all([addFile(early.id, NOW + 10), addFile(early.id, NOW + 20), addFile(late.id, NOW + 20), addFile(never.id, null)])
    const ended = async (now: number): Promise<SessionId[]> => (await store.withEndedFiles(now)).map(({ id }) => id).sort()
    t.same(await ended(NOW + 9), [])
    t.same(await ended(NOW + 10), [early.id])
    t.same(await ended(NOW + 10), [early.id], 'again while it is there')
    t.same((await store.withEndedFiles(NOW + 10)).map(({ files }) => files.length), [2], 'with all that the record has')
    await store.update(early.id, (record) => ({ record: { ...record, files: record.files.slice(1) }, outcome: true }))
    t.same(await ended(NOW + 10), [])
    t.same(await ended(NOW + 20), [early.id, late.id].sort())
    await store.delete(late.id)
    t.same(await ended(NOW + 20), [early.id])
  })

  t.test('all gives the records as they are now, expired or not', async (t) => {
    const store = await create(t)
    const [used, expired, deleted] = [newRecord(), newRecord({ endsAt: NOW - 1 }), newRecord()]
    for (const record of [used, expired, deleted]) await store.add(record, MANY)
    await store.touch(used.id, NOW + 5)
    await store.delete(deleted.id)
    const records = []
    for await (const record of store.all()) records.push(record)
    t.same(new Set(records), new Set([{ ...used, lastUsedAt: NOW + 5 }, expired]))
  })

  t.test('volatileIds names those that end with this process, expired or not', async (t) => {
    const store = await create(t)
    const records = [newRecord(), newRecord({ endsAt: NOW - 1 })]
    for (const record of records) await store.add(record, MANY)
    t.same([...await store.volatileIds()].sort(), managed === 'volatile' ? records.map(({ id }) => id).sort() : [])
  })

  t.test('close waits for what is under way', async (t) => {
    const store = await create(t)
    const record = newRecord()
    const settled: string[] = []
    await store.add(record, MANY)
    const updated = store.update(record.id, (current) => ({ record: { ...current, wrongCodes: 1 }, outcome: true })).then(() => { settled.push('update') })
    await store.close()
    await updated
    t.same(settled, ['update'], 'and it did not fail')
  })
}

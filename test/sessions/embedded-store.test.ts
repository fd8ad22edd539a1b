import t, { type Test } from 'tap'
import { randomBytes } from '../../lib/crypto/bytes.js'
import { newJoinId, newSessionId } from '../../lib/new-ids.js'
import { RecordDatabase } from '../../lib/sessions/record-database.js'
import type { PendingAttempt } from '../../lib/sessions/session.js'
import { temporaryFolder } from '../helpers/server.js'
import { afterCrash, endToEnd, openStore, wrongCode } from './embedded.js'
import { HOUR, newFile, newJoiner, newRecord, NOW } from './records.js'
import { allIds, sessionStoreContract } from './store-contract.js'

const MANY = 1000
const MINUTE = HOUR / 60

/** How many records have been sealed since: each one is a write. */
function countSeals (t: Test): () => number {
  const { subtle } = crypto
  const encrypt = subtle.encrypt.bind(subtle)
  let count = 0
  subtle.encrypt = async (...parameters) => {
    count += 1
    return await encrypt(...parameters)
  }
  t.teardown(() => { subtle.encrypt = encrypt })
  return () => count
}

for (const secret of [randomBytes(32), undefined]) {
  t.test(secret === undefined ? 'without a secret' : 'with a secret', (t) => {
    sessionStoreContract(t, secret === undefined ? 'volatile' : 'durable', async (t) => await openStore(t, await temporaryFolder(t), { secret }))
    t.end()
  })
}

t.test('reopened, the store has every record to the byte', async (t) => {
  const folder = await temporaryFolder(t)
  const secret = randomBytes(32)
  const records = [
    newRecord(),
    newRecord({ creatorTokenHash: null, wrongCodes: 2, wrongPasswords: 1, limits: { maxDownloads: 1 } }),
    newRecord({
      joiners: [newJoiner(), newJoiner()],
      pending: [{ id: newJoinId(), state: 'answered', startedAt: NOW, tokenHash: 'ef'.repeat(32), confirmations: { expected: randomBytes(32), own: randomBytes(32) } }],
      files: [newFile(), { ...newFile(), name: '~bAAAA', downloads: 3 }, { ...newFile(), name: 'ein Ünding \ud83d.txt' }],
      filesAdded: 7
    }),
    endToEnd()
  ]
  const first = await openStore(t, folder, { secret })
  for (const record of records) await first.add(record, MANY)
  await first.close()
  const second = await openStore(t, folder, { secret })
  t.equal(second.unreadable, 0)
  t.same(await allIds(second), records.map(({ id }) => id).sort())
  for (const record of records) t.strictSame(await second.get(record.id), record)
  await second.update(records[0]?.id ?? newSessionId(), wrongCode)
  await second.close()
  const third = await openStore(t, folder, { secret })
  t.equal((await third.get(records[0]?.id ?? newSessionId()))?.wrongCodes, 1)
})

t.test('whatever was answered is there after a crash', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const store = await openStore(t, folder, options)
  const [kept, deleted] = [newRecord(), newRecord()]
  for (const record of [kept, deleted]) await store.add(record, MANY)
  const added = await afterCrash(t, folder, options)
  t.same(await allIds(added), [kept.id, deleted.id].sort())

  await store.update(kept.id, (record) => ({ record: { ...record, files: [newFile()] }, outcome: true }))
  await store.delete(deleted.id)
  const changed = await afterCrash(t, folder, options)
  t.same(await allIds(changed), [kept.id])
  t.strictSame(await changed.get(kept.id), await store.get(kept.id))
})

t.test('many changes at once: the last state is written, in few writes', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const store = await openStore(t, folder, options)
  const [busy, other] = [newRecord(), newRecord()]
  for (const record of [busy, other]) await store.add(record, MANY)
  const seals = countSeals(t)
  await Promise.all(Array.from({ length: 200 }, (_, i) => store.update(i % 4 === 0 ? other.id : busy.id, wrongCode)))
  t.equal(seals(), 4, 'one for the first change of each record, one for all others')
  const crashed = await afterCrash(t, folder, options)
  t.equal((await crashed.get(busy.id))?.wrongCodes, 150)
  t.equal((await crashed.get(other.id))?.wrongCodes, 50)
})

t.test('a deletion comes after the write under way, and lasts', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const store = await openStore(t, folder, options)
  for (let i = 0; i < 20; i++) {
    const record = newRecord()
    await store.add(record, MANY)
    const changes = Array.from({ length: 3 }, () => store.update(record.id, wrongCode))
    const deleted = store.delete(record.id)
    t.equal(await store.get(record.id), undefined, 'gone from memory at once')
    await Promise.all(changes)
    t.equal((await deleted)?.wrongCodes, 3)
  }
  t.same(await allIds(await afterCrash(t, folder, options)), [])
})

t.test('a moment of last use is written when it has moved far enough, and at the end', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const store = await openStore(t, folder, options)
  const record = newRecord()
  await store.add(record, MANY)
  const seals = countSeals(t)
  await store.touch(record.id, NOW + MINUTE - 1)
  // This waits for what is under way, and is a write itself.
  await store.update(record.id, wrongCode)
  t.equal(seals(), 1, 'not for less than a sixtieth of the timeout')
  await store.touch(record.id, NOW + 2 * MINUTE - 1)
  await store.update(record.id, wrongCode)
  t.equal(seals(), 3, 'once for the touch, without anybody waiting, and once for the change')
  await store.touch(record.id, NOW + 2 * MINUTE + 7)
  await store.close()
  const reopened = await openStore(t, folder, options)
  t.equal((await reopened.get(record.id))?.lastUsedAt, NOW + 2 * MINUTE + 7)
})

t.test('attempts that the last process was deciding are given back, others wait for their confirmation', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const attempt = (state: PendingAttempt['state']): PendingAttempt => ({ id: newJoinId(), state, startedAt: NOW, tokenHash: 'ef'.repeat(32) })
  const pending = [attempt('reserved'), { ...attempt('answered'), confirmations: { expected: randomBytes(32), own: randomBytes(32) } }, attempt('confirming')]
  const [managed, blind] = [newRecord({ pending, wrongPasswords: 2 }), newRecord({ kind: 'end-to-end', pending })]
  const first = await openStore(t, folder, options)
  for (const record of [managed, blind]) await first.add(record, MANY)
  await first.close()
  const second = await openStore(t, folder, options)
  t.strictSame(await second.get(managed.id), { ...managed, pending: [pending[1]] })
  t.strictSame(await second.get(blind.id), blind, 'no process decides those')
})

t.test('a change that cannot be written is refused, and did not happen', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const store = await openStore(t, folder, options)
  const record = newRecord()
  await store.add(record, MANY)
  const full = t.intercept(RecordDatabase.prototype, 'put', { value: () => Promise.reject(new Error('full')) })
  await t.rejects(store.update(record.id, wrongCode), /full/)
  t.same(await store.get(record.id), record)
  const other = newRecord()
  await t.rejects(store.add(other, MANY), /full/)
  t.equal(await store.get(other.id), undefined)
  full.restore()
  await store.update(record.id, wrongCode)
  t.equal(await store.add(other, MANY), 'added')
  const crashed = await afterCrash(t, folder, options)
  t.equal((await crashed.get(record.id))?.wrongCodes, 1)
})

t.test('a session ends even if its record cannot be removed; a later sweep removes it', async (t) => {
  const folder = await temporaryFolder(t)
  const errors: unknown[] = []
  const options = { secret: randomBytes(32), errors }
  const store = await openStore(t, folder, options)
  const record = newRecord()
  await store.add(record, MANY)
  const full = t.intercept(RecordDatabase.prototype, 'delete', { value: () => Promise.reject(new Error('full')) })
  t.same(await store.delete(record.id), record)
  t.equal(await store.get(record.id), undefined)
  t.match(errors, [{ message: 'full' }], 'the operator is told')
  t.equal(await store.add(record, MANY), 'taken', 'nobody gets its id meanwhile')
  await store.expired(NOW)
  t.equal(errors.length, 2)
  full.restore()
  t.same(await allIds(await afterCrash(t, folder, options)), [record.id])
  await store.expired(NOW)
  t.same(await allIds(await afterCrash(t, folder, options)), [])
  t.equal(await store.add(record, MANY), 'added')
})

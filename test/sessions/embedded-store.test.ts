import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { ClassicLevel } from 'classic-level'
import t, { type Test } from 'tap'
import { randomBytes, toBase64url, toHex, utf8 } from '../../lib/crypto/bytes.js'
import { newJoinId, newSessionId } from '../../lib/new-ids.js'
import { EmbeddedStore } from '../../lib/sessions/embedded-store.js'
import { RecordDatabase } from '../../lib/sessions/record-database.js'
import { encodeRecord, RECORD_VERSION } from '../../lib/sessions/sealed-record.js'
import type { PendingAttempt, SessionRecord } from '../../lib/sessions/session.js'
import { temporaryFolder } from '../helpers/server.js'
import { HOUR, newFile, newJoiner, newRecord, NOW } from './records.js'
import { allIds, sessionStoreContract } from './store-contract.js'

const MANY = 1000
const MINUTE = HOUR / 60

interface Options {
  readonly secret?: Uint8Array<ArrayBuffer> | undefined
  readonly errors?: unknown[]
}

/** A store that is closed when the test ends. */
async function openStore (t: Test, folder: string, { secret, errors = [] }: Options): Promise<EmbeddedStore> {
  const store = await EmbeddedStore.open({ folder, secret, onError: (error) => { errors.push(error) } })
  t.teardown(() => store.close())
  return store
}

/** What another process would find if this one ended now: nothing is closed or flushed for it. */
async function afterCrash (t: Test, folder: string, options: Options): Promise<EmbeddedStore> {
  const copy = join(await temporaryFolder(t), 'copy')
  await cp(folder, copy, { recursive: true })
  return await openStore(t, copy, options)
}

/** Works on the database behind the store's back. */
async function tamper (folder: string, change: (level: ClassicLevel<string, Uint8Array>) => Promise<unknown>): Promise<void> {
  const level = new ClassicLevel<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await change(level)
  await level.close()
}

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

const wrongCode = (record: SessionRecord): { record: SessionRecord, outcome: true } =>
  ({ record: { ...record, wrongCodes: record.wrongCodes + 1 }, outcome: true })

const endToEnd = (): SessionRecord => newRecord({ kind: 'end-to-end' })

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

t.test('without a secret nothing of a managed session is written', async (t) => {
  const folder = await temporaryFolder(t)
  const store = await openStore(t, folder, {})
  const [managed, blind] = [newRecord(), endToEnd()]
  for (const record of [managed, blind]) await store.add(record, MANY)
  for (const { id } of [managed, blind]) await store.update(id, wrongCode)
  await store.touch(managed.id, NOW + HOUR)
  t.same(await store.volatileIds(), [managed.id])
  await store.close()
  await tamper(folder, async (level) => { t.same(await level.keys().all(), [`clear:${blind.id}`]) })
  const reopened = await openStore(t, folder, {})
  t.same(await allIds(reopened), [blind.id], 'end-to-end sessions hold no key, and stay')
})

t.test('a secret that comes later seals what was in clear', async (t) => {
  const folder = await temporaryFolder(t)
  const record = endToEnd()
  const first = await openStore(t, folder, {})
  await first.add(record, MANY)
  await first.close()
  const options = { secret: randomBytes(32) }
  const second = await openStore(t, folder, options)
  t.strictSame(await second.get(record.id), record)
  await second.update(record.id, wrongCode)
  await second.close()
  await tamper(folder, async (level) => { t.same(await level.keys().all(), ['check', `sealed:${record.id}`]) })
  const third = await openStore(t, folder, options)
  t.equal((await third.get(record.id))?.wrongCodes, 1)
  await third.delete(record.id)
  await third.close()
  t.same(await allIds(await openStore(t, folder, options)), [])
})

t.test('single records that cannot be read are removed and counted, and the others stay', async (t) => {
  const folder = await temporaryFolder(t)
  const secret = randomBytes(32)
  const [whole, damaged, cut, moved] = [newRecord(), newRecord(), newRecord(), newRecord()]
  const first = await openStore(t, folder, { secret })
  for (const record of [whole, damaged, cut, moved]) await first.add(record, MANY)
  await first.close()
  await tamper(folder, async (level) => {
    const sealed = async ({ id }: SessionRecord): Promise<Uint8Array> => await level.get(`sealed:${id}`) ?? new Uint8Array()
    const value = await sealed(damaged)
    await level.put(`sealed:${damaged.id}`, value.with(100, (value[100] ?? 0) ^ 1))
    await level.put(`sealed:${cut.id}`, (await sealed(cut)).subarray(0, 40))
    await level.put('sealed:0123abcd', await sealed(moved))
    await level.put('sealed:../../ab', await sealed(moved))
    await level.put(`clear:${newSessionId()}`, utf8(JSON.stringify({ version: RECORD_VERSION + 1, record: {} })))
    await level.put('something', new Uint8Array())
  })
  const second = await openStore(t, folder, { secret })
  t.equal(second.unreadable, 6)
  t.same(await allIds(second), [whole.id, moved.id].sort())
  await second.close()
  const third = await openStore(t, folder, { secret })
  t.equal(third.unreadable, 0, 'they are gone')
  t.same(await allIds(third), [whole.id, moved.id].sort())
})

t.test('another secret, or none, stops the start and leaves the records alone', async (t) => {
  const folder = await temporaryFolder(t)
  const secret = randomBytes(32)
  const record = newRecord()
  const first = await openStore(t, folder, { secret })
  await first.add(record, MANY)
  await first.close()
  for (const other of [randomBytes(32), undefined]) {
    const opening = EmbeddedStore.open({ folder, secret: other, onError: () => {} })
    const message = new RegExp(`^SESSION_KEY_SECRET must be the one (?:(?!\\. ).)*${folder}(?:(?!\\. ).)*\\.$`)
    await t.rejects(opening, { name: 'ConfigError', message })
    const told = await opening.catch((error: unknown) => inspect(error))
    for (const text of [secret, other ?? secret].flatMap((bytes) => [toHex(bytes), toBase64url(bytes)])) t.notOk(inspect(told).includes(text))
  }
  t.strictSame(await (await openStore(t, folder, { secret })).get(record.id), record)
})

t.test('where no session is stored any more, another secret is as good, and none too', async (t) => {
  const folder = await temporaryFolder(t)
  const record = newRecord()
  const first = await openStore(t, folder, { secret: randomBytes(32) })
  await first.add(record, MANY)
  await first.delete(record.id)
  await first.close()
  const secret = randomBytes(32)
  const second = await openStore(t, folder, { secret })
  await second.add(record, MANY)
  await second.close()
  await t.rejects(EmbeddedStore.open({ folder, secret: randomBytes(32), onError: () => {} }), { name: 'ConfigError' }, 'it counts from now on')
  const third = await openStore(t, folder, { secret })
  await third.delete(record.id)
  await third.close()
  const fourth = await openStore(t, folder, {})
  await fourth.close()
  await (await openStore(t, folder, { secret: randomBytes(32) })).close()
})

t.test('a database that is damaged as a whole stops the start with one sentence', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await openStore(t, folder, { secret: randomBytes(32) })
  await t.rejects(EmbeddedStore.open({ folder, secret: undefined, onError: () => {} }), { name: 'ConfigError', message: /^UPLOAD_FOLDER must hold readable session records or none \(IO error: .*\): mend that, or remove .* to give them up\.$/ }, 'in use')
  await first.close()
  const [manifest = ''] = (await readdir(folder)).filter((name) => name.startsWith('MANIFEST'))
  await writeFile(join(folder, manifest), 'garbage')
  await t.rejects(EmbeddedStore.open({ folder, secret: randomBytes(32), onError: () => {} }), { name: 'ConfigError', message: /^UPLOAD_FOLDER must .* \(Corruption: .*\): mend that, or remove .* to give them up\.$/ })
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

t.test('nothing of a record can be read in the folder', async (t) => {
  const folder = join(await temporaryFolder(t), 'sessions')
  const secret = randomBytes(32)
  const store = await openStore(t, folder, { secret })
  const record = newRecord({
    verificationCode: '918273',
    creatorTokenHash: toHex(randomBytes(32)),
    joiners: [{ id: newJoinId(), tokenHash: toHex(randomBytes(32)), joinedAt: NOW }],
    files: [{ ...newFile(), name: 'a-telling-name.pdf', contentType: 'application/x-telling', sha256: toHex(randomBytes(32)) }]
  })
  await store.add(record, MANY)
  await store.update(record.id, wrongCode)
  const deleted = newRecord({ verificationCode: '645546' })
  await store.add(deleted, MANY)
  await store.delete(deleted.id)
  const { contentKey, element, firstShare } = record.secrets
  const bytes = { secret, contentKey, w: element.w, wM: element.wM, wN: element.wN, scalar: firstShare?.scalar ?? secret, deleted: deleted.secrets.contentKey }
  const texts = {
    code: record.verificationCode,
    'deleted code': deleted.verificationCode,
    creator: record.creatorTokenHash ?? '',
    joiner: record.joiners[0]?.tokenHash ?? '',
    name: 'a-telling-name',
    type: 'x-telling',
    sha256: record.files[0]?.sha256 ?? '',
    member: 'contentKey'
  }
  const canaries = [
    ...Object.entries(bytes).flatMap(([name, value]): Array<[string, Uint8Array]> => [[name, value], [`${name} in hex`, utf8(toHex(value))], [`${name} in base64url`, utf8(toBase64url(value))]]),
    ...Object.entries(texts).map(([name, value]): [string, Uint8Array] => [name, utf8(value)])
  ]
  const look = async (): Promise<Buffer> => Buffer.concat(await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name)))))
  const open = await look()
  await store.close()
  // Opening writes the log into a table.
  await (await openStore(t, folder, { secret })).close()
  const closed = await look()
  t.ok(open.includes(`sealed:${record.id}`), 'the record is there')
  t.ok(closed.includes(`sealed:${record.id}`), 'and there')
  for (const [name, canary] of canaries) t.notOk([open, closed].some((bytes) => bytes.includes(Buffer.from(canary))), name)
  t.equal((await stat(folder)).mode & 0o077, 0, 'and nobody else may look')
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

t.test('after a failure of the database itself it is opened again', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const store = await openStore(t, folder, options)
  const [record, other] = [newRecord(), newRecord()]
  for (const one of [record, other]) await store.add(one, MANY)
  // Every opening begins a new manifest.
  const manifest = (): Promise<string> => readFile(join(folder, 'CURRENT'), 'utf8')
  const before = await manifest()
  const failing = t.intercept(ClassicLevel.prototype, 'batch', { value: () => Promise.reject(new Error('IO error')) })
  await Promise.all([record, other].map(({ id }) => t.rejects(store.update(id, wrongCode), /IO error/)))
  failing.restore()
  t.not(await manifest(), before)
  for (const { id } of [record, other]) await store.update(id, wrongCode)
  const crashed = await afterCrash(t, folder, options)
  t.same(await Promise.all([record, other].map(async ({ id }) => (await crashed.get(id))?.wrongCodes)), [1, 1])
})

t.test('a managed record in clear is not believed', async (t) => {
  const folder = await temporaryFolder(t)
  const options = { secret: randomBytes(32) }
  const record = newRecord()
  await (await openStore(t, folder, options)).close()
  await tamper(folder, (level) => level.put(`clear:${record.id}`, encodeRecord(record)))
  const store = await openStore(t, folder, options)
  t.equal(store.unreadable, 1)
  t.same(await allIds(store), [])
})

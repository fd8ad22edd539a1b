import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { ClassicLevel } from 'classic-level'
import t from 'tap'
import { randomBytes, toBase64url, toHex, utf8 } from '../../lib/crypto/bytes.js'
import { newJoinId, newSessionId } from '../../lib/new-ids.js'
import { EmbeddedStore } from '../../lib/sessions/embedded-store.js'
import { encodeRecord, RECORD_VERSION } from '../../lib/sessions/sealed-record.js'
import { secretsOf, type SessionRecord } from '../../lib/sessions/session.js'
import { temporaryFolder } from '../helpers/server.js'
import { afterCrash, endToEnd, openStore, wrongCode } from './embedded.js'
import { HOUR, newFile, newRecord, NOW } from './records.js'
import { allIds } from './store-contract.js'

const MANY = 1000

/** Works on the database behind the store's back. */
async function tamper (folder: string, change: (level: ClassicLevel<string, Uint8Array>) => Promise<unknown>): Promise<void> {
  const level = new ClassicLevel<string, Uint8Array>(folder, { keyEncoding: 'utf8', valueEncoding: 'view' })
  await change(level)
  await level.close()
}

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

t.test('a secret is changed by one start with both', async (t) => {
  const folder = await temporaryFolder(t)
  const [old, next] = [randomBytes(32), randomBytes(32)]
  const record = newRecord()
  const first = await openStore(t, folder, { secret: old })
  await first.add(record, MANY)
  await first.close()
  const both = await EmbeddedStore.open({ folder, secret: next, previousSecret: old, onError: () => {} })
  t.strictSame(await both.get(record.id), record)
  await both.close()
  await t.rejects(EmbeddedStore.open({ folder, secret: old, onError: () => {} }), { name: 'ConfigError' }, 'the old one opens nothing any more')
  t.strictSame(await (await openStore(t, folder, { secret: next })).get(record.id), record, 'and is not needed')
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
  const { contentKey, element, firstShare } = secretsOf(record)
  const bytes = { secret, contentKey, w: element.w, wM: element.wM, wN: element.wN, scalar: firstShare?.scalar ?? secret, deleted: secretsOf(deleted).contentKey }
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
  await Promise.all([record, other].map(({ id }) => t.rejects(store.update(id, wrongCode), { code: 'STORE_UNAVAILABLE', cause: { message: 'IO error' } })))
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

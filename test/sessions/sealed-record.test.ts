import t from 'tap'
import { concat, fromHex, randomBytes, toBase64url, toHex, utf8, type Bytes } from '../../lib/crypto/bytes.js'
import { hkdf } from '../../lib/crypto/keys.js'
import { newSessionId } from '../../lib/new-ids.js'
import { decodeRecord, encodeRecord, isSecretOf, newSecretCheck, openRecord, RECORD_VERSION, sealRecord } from '../../lib/sessions/sealed-record.js'
import { secretsOf, type SessionRecord } from '../../lib/sessions/session.js'
import { newFile, newJoiner, newRecord, seededRandom } from './records.js'

const secret = fromHex('0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0')

/** Names that mean something to a decoder of one kind or another. */
const NAMES = [
  '~', '~~', '~b', '~bAAAA', '~s', '~s~bAAAA', '~x', ' ~bAAAA', '', '"', '\\', '\\u0000', '\0', '{"~b":"AAAA"}', '__proto__', 'constructor',
  '\ud83d', '\udc00\ud83d', '😀', '\u2028', '\ufeff', '\ufeffabc', 'é', 'e\u0301'
]

/** A record with members that no session has today. */
const extended = (more: object): SessionRecord => ({ ...newRecord(), ...more })

t.test('a record comes back as it was', async (t) => {
  const record = newRecord({
    creatorTokenHash: null,
    joiners: [newJoiner(), newJoiner()],
    pending: [{ id: newJoiner().id, state: 'answered', startedAt: 1, tokenHash: 'ab', confirmations: { expected: randomBytes(32), own: randomBytes(32) } }],
    files: NAMES.map((name, i) => ({ ...newFile(i), name })),
    limits: { maxDownloads: 3 }
  })
  for (const decoded of [decodeRecord(record.id, encodeRecord(record)), (await openRecord({ current: secret }, record.id, await sealRecord(secret, record))).record]) {
    t.strictSame(decoded, record)
    t.same(decoded.files.map(({ name }) => name), NAMES)
    t.ok(secretsOf(decoded).contentKey instanceof Uint8Array)
    t.equal(secretsOf(decoded).contentKey.byteLength, secretsOf(decoded).contentKey.buffer.byteLength, 'in a buffer of its own')
  }
})

t.test('members that are added later come back too, whatever they are', (t) => {
  const more = {
    ownBytes: [new Uint8Array(), randomBytes(300), { deep: randomBytes(1) }],
    '~bAAAA': { '~': 1, ['__proto__']: 'own' },
    mixed: [null, true, false, 0, -1.5, Number.MAX_SAFE_INTEGER, [], {}, ...NAMES]
  }
  const record = extended(more)
  t.strictSame(decodeRecord(record.id, encodeRecord(record)), record)
  const withMissing = extended({ missing: undefined })
  t.notOk('missing' in decodeRecord(withMissing.id, encodeRecord(withMissing)), 'a member without a value is none')
  t.end()
})

t.test('what JSON would lose or change is refused, not stored', (t) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1n, new Date(), new Map(), new Set(), Symbol('x'), () => {}, new Uint16Array(2), [undefined]]) {
    t.throws(() => encodeRecord(extended({ value })), TypeError)
  }
  t.end()
})

t.test('texts at random are never read back as anything else', (t) => {
  const random = seededRandom(5)
  const alphabet = ['~', 'b', 's', 'A', '"', '\\', '{', '\ud83d']
  const texts = Array.from({ length: 2000 }, () =>
    Array.from({ length: Math.floor(random() * 6) }, () => alphabet[Math.floor(random() * alphabet.length)]).join(''))
  const record = extended({ texts })
  t.strictSame(decodeRecord(record.id, encodeRecord(record)), record)
  t.end()
})

t.test('a record of version 1 is read in the form of this one', (t) => {
  const record = newRecord({ files: [newFile()] })
  const { relayed: _relayed, files: [{ sealedMetadata: _sealed, ...file } = newFile()], ...old } = record
  const plain: unknown = (JSON.parse(new TextDecoder().decode(encodeRecord(record))) as { record: { secrets: unknown } }).record.secrets
  const written = utf8(JSON.stringify({ version: 1, record: { ...old, files: [file], secrets: plain } }))
  t.same(decodeRecord(record.id, written), record)
  t.end()
})

t.test('what is no record of this version and session is refused', (t) => {
  const record = newRecord()
  const encoded = new TextDecoder().decode(encodeRecord(record))
  const cases: Array<[name: string, encoded: Bytes]> = [
    ['empty', new Uint8Array()],
    ['no JSON', utf8('{')],
    ['no UTF-8', concat(utf8(encoded.slice(0, -1)), Uint8Array.of(0xff), utf8('}'))],
    ['null', utf8('null')],
    ['an array', utf8('[]')],
    ['newer', utf8(encoded.replace(`"version":${RECORD_VERSION}`, `"version":${RECORD_VERSION + 1}`))],
    ['without a version', utf8(encoded.replace(`"version":${RECORD_VERSION},`, ''))],
    ['version as a text', utf8(encoded.replace(`"version":${RECORD_VERSION}`, `"version":"${RECORD_VERSION}"`))],
    ['without a record', utf8(`{"version":${RECORD_VERSION}}`)],
    ['an unknown mark', utf8(encoded.replace('"123456"', '"~x123456"'))],
    ['a needless mark', utf8(encoded.replace('"123456"', '"~s123456"'))],
    ['base64url with a bit too many', utf8(encoded.replace('"123456"', '"~bAB"'))]
  ]
  t.same(decodeRecord(record.id, utf8(encoded)), record)
  for (const [name, bytes] of cases) t.throws(() => decodeRecord(record.id, bytes), name)
  t.throws(() => decodeRecord(newSessionId(), utf8(encoded)), /not the record of this session/)
  t.end()
})

t.test('sealed as the protocol says', async (t) => {
  const record = newRecord()
  const sealed = await sealRecord(secret, record)
  const key = await hkdf(secret, sealed.slice(0, 32), concat(utf8('local-send/1 record'), Uint8Array.of(0), utf8(record.id)), 32)
  const imported = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt'])
  const plaintext = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: sealed.slice(32, 44) }, imported, sealed.slice(44)))
  t.same(plaintext, encodeRecord(record))
  t.match(new TextDecoder().decode(plaintext), `"contentKey":"~b${toBase64url(secretsOf(record).contentKey)}"`)
})

t.test('salt and nonce are new every time', async (t) => {
  const record = newRecord()
  const sealed = await Promise.all(Array.from({ length: 20 }, () => sealRecord(secret, record)))
  t.equal(new Set(sealed.map((one) => toHex(one.slice(0, 32)))).size, 20)
  t.equal(new Set(sealed.map((one) => toHex(one.slice(32, 44)))).size, 20)
})

t.test('a sealed record opens under its secret and its id only, and only whole', async (t) => {
  const record = newRecord()
  const sealed = await sealRecord(secret, record)
  await t.rejects(openRecord({ current: randomBytes(32), previous: randomBytes(32) }, record.id, sealed), 'another secret')
  await t.rejects(openRecord({ current: secret }, newSessionId(), sealed), 'another session')
  await t.rejects(openRecord({ current: secret }, record.id, concat(sealed, Uint8Array.of(0))), 'a byte more')
  for (const length of [0, 31, 32, 43, 44, 59, 60, sealed.length - 1]) await t.rejects(openRecord({ current: secret }, record.id, sealed.slice(0, length)), `${length} bytes`)
  for (let i = 0; i < sealed.length; i += i < 64 || i > sealed.length - 20 ? 1 : 37) {
    const damaged = sealed.with(i, (sealed[i] ?? 0) ^ 1)
    await t.rejects(openRecord({ current: secret }, record.id, damaged), `byte ${i}`)
  }
})

t.test('the check of a secret knows it, and nothing else', async (t) => {
  const check = await newSecretCheck(secret)
  t.equal(await isSecretOf(check, secret), true)
  t.equal(await isSecretOf(check, randomBytes(32)), false)
  t.equal(await isSecretOf(check, concat(secret, secret)), false)
  t.equal(await isSecretOf(check.slice(0, -1), secret), false)
  t.equal(await isSecretOf(new Uint8Array(), secret), false)
  t.equal(await isSecretOf(await sealRecord(secret, newRecord()), secret), false, 'a record is no check')
})

import t from 'tap'
import { concat, fromHex, toHex, u16, utf8, type Bytes } from '../../lib/crypto/bytes.js'
import { METADATA, chunkParameters, createHeader } from '../../lib/crypto/container-header.js'
import { openContainer } from '../../lib/crypto/container.js'
import { MAX_SEALED_METADATA, openMetadata, sealMetadata, type Metadata } from '../../lib/crypto/metadata.js'
import localSend from '../vectors/local-send-1.json' with { type: 'json' }
import { fileId, flipped, pattern, writer } from './fixtures/helpers.js'

const id = fileId('00112233445566778899aabbccddeeff')
const contentKey = pattern(32)
const writing = { contentKey, fileId: id, writer: 'A' } as const
const reading = { contentKey, fileId: id, writers: 'A' } as const
const damaged = { code: 'METADATA_DAMAGED' }
const file: Metadata = { name: 'photos/über.jpg', size: 12345, type: 'image/jpeg', modified: '2026-01-02T03:04:05.000Z' }

for (const vector of localSend.metadata) {
  t.test(`local-send/1 metadata, ${vector.json}`, async (t) => {
    const { metadata, writer: sealedBy } = await openMetadata(fromHex(vector.sealed), { contentKey: fromHex(vector.contentKey), fileId: fileId(vector.fileId), writers: writer(vector.writer) })
    t.equal(JSON.stringify(metadata), vector.json)
    t.equal(sealedBy, vector.writer)
    const sealed = await sealMetadata(metadata, { contentKey: fromHex(vector.contentKey), fileId: fileId(vector.fileId), writer: writer(vector.writer), salt: fromHex(vector.salt) })
    t.equal(toHex(sealed), vector.sealed)
  })
}

const described: Metadata[] = [
  file,
  { ...file, size: null },
  { ...file, size: 0, type: '' },
  { ...file, size: 2 ** 40 },
  { ...file, modified: '2026-01-02T03:04:05Z' },
  { ...file, kind: 'text' },
  { ...file, kind: 'directory', mode: 0o755 },
  { ...file, name: '../../etc/passwd' },
  { ...file, name: '__proto__' },
  { ...file, direct: ['192.0.2.1:1024', '[2001:db8::1]:65535', '[::1]:9999', '127.0.0.1:10000', '10.0.0.1:2000', '10.0.0.1:1099', '10.0.0.1:1900', '[fd00::2]:54321'] }
]

t.test('every description comes back as it was', async (t) => {
  for (const metadata of described) {
    const sealed = await sealMetadata(metadata, writing)
    t.equal(sealed.length, 92 + 512 + 16)
    t.same((await openMetadata(sealed, reading)).metadata, metadata, JSON.stringify(metadata))
  }
})

/** The description with a name as long as it takes for a JSON of `length` bytes. */
const long = (length: number): Metadata => ({ ...file, name: 'x'.repeat(length - JSON.stringify({ ...file, name: '' }).length) })

t.test('the padding hides all but the multiple of 512', async (t) => {
  for (const [json, padded] of [[300, 512], [510, 512], [511, 1024], [1022, 1024], [1023, 1536], [4094, 4096]] as const) {
    const sealed = await sealMetadata(long(json), writing)
    t.equal(sealed.length, 92 + padded + 16, `json=${json}`)
    t.same((await openMetadata(sealed, reading)).metadata, long(json))
  }
  t.equal((await sealMetadata(long(4094), writing)).length, MAX_SEALED_METADATA)
  await t.rejects(sealMetadata(long(4095), writing), RangeError)
  await t.rejects(sealMetadata(long(100_000), writing), RangeError)
})

t.test('two seals never share a salt', async (t) => {
  const [one, other] = [await sealMetadata(file, writing), await sealMetadata(file, writing)]
  t.equal(toHex(one.subarray(28, 60)) === toHex(other.subarray(28, 60)), false)
})

/** Seals any plaintext the way a malicious member could. */
const forge = async (plaintext: Bytes): Promise<Bytes> => {
  const unlocked = await createHeader(METADATA, { ...writing, part: 0, chunkLog2: 0, salt: pattern(32) })
  return concat(unlocked.header, new Uint8Array(await crypto.subtle.encrypt(chunkParameters(unlocked, 0, true), unlocked.key, plaintext)))
}
const padded = (json: Uint8Array, length = 512) => {
  const plaintext = new Uint8Array(length)
  plaintext.set(concat(u16(json.length), json))
  return plaintext
}
const forgeJson = (value: unknown) => forge(padded(utf8(JSON.stringify(value))))

t.test('fields of the wrong type, from a reader\'s and from a writer\'s side', async (t) => {
  const wrong: Array<Record<string, unknown>> = [
    { name: undefined }, { name: null }, { name: '' }, { name: 5 }, { name: ['a'] },
    { size: undefined }, { size: '5' }, { size: -1 }, { size: 0.5 }, { size: 2 ** 40 + 1 }, { size: true },
    { type: undefined }, { type: null }, { type: {} },
    { modified: undefined }, { modified: null }, { modified: 1234 }, { modified: '' }, { modified: 'yesterday' }, { modified: '2026-13-02T03:04:05Z' }, { modified: '2026-01-02T03:04:05+01:00' }, { modified: '2026-01-02' },
    { kind: null }, { kind: 'link' }, { kind: '' }, { kind: 1 },
    { mode: null }, { mode: -1 }, { mode: 0o10000 }, { mode: 1.5 }, { mode: '755' },
    { direct: null }, { direct: [] }, { direct: '192.0.2.1:5000' }, { direct: [5] }, { direct: new Array<string>(9).fill('192.0.2.1:5000') },
    ...['', '192.0.2.1', '192.0.2.1:', '192.0.2.1:80', '192.0.2.1:1023', '192.0.2.1:05000', '192.0.2.1:123456', '192.0.2.1:65536', 'localhost:5000', 'a.example:5000', '192.0.2.1:5000/path', 'user@192.0.2.1:5000', '::1:5000', '[::1]', '[fe80::1%eth0]:5000', ' 192.0.2.1:5000', '192.0.2.1:5000\n'].map((address) => ({ direct: [address] }))
  ]
  for (const fields of wrong) {
    const value = { ...file, ...fields }
    await t.rejects(openMetadata(await forgeJson(value), reading), damaged, JSON.stringify(fields))
    await t.rejects(async () => { await Reflect.apply(sealMetadata, undefined, [value, writing]) }, RangeError, JSON.stringify(fields))
  }
})

t.test('fields that are not known are dropped', async (t) => {
  t.same((await openMetadata(await forgeJson({ ...file, owner: 'root', constructor: 1 }), reading)).metadata, file)
})

t.test('what is no object, no JSON or no UTF-8', async (t) => {
  for (const value of [null, 5, 'text', true, [], [file]]) await t.rejects(openMetadata(await forgeJson(value), reading), damaged, JSON.stringify(value))
  for (const json of ['', '{', `${JSON.stringify(file)} x`, '\0']) await t.rejects(openMetadata(await forge(padded(utf8(json))), reading), damaged, json)
  const valid = utf8(JSON.stringify(file))
  await t.rejects(openMetadata(await forge(padded(concat(valid.subarray(0, 12), Uint8Array.of(0xff), valid.subarray(13)))), reading), damaged)
})

t.test('the length and the zeros are checked', async (t) => {
  const json = utf8(JSON.stringify(file))
  const right = padded(json)
  t.same((await openMetadata(await forge(right), reading)).metadata, file)
  t.same((await openMetadata(await forge(padded(json, 4096)), reading)).metadata, file, 'more padding than needed hides more')
  await t.rejects(openMetadata(await forge(flipped(right, -1)), reading), damaged, 'the last byte of the padding')
  await t.rejects(openMetadata(await forge(flipped(right, 2 + json.length)), reading), damaged, 'the first byte of the padding')
  await t.rejects(openMetadata(await forge(concat(u16(511), right.subarray(2))), reading), damaged, 'a length beyond the end')
  const full = padded(utf8(JSON.stringify(long(510))))
  t.same((await openMetadata(await forge(full), reading)).metadata, long(510))
  await t.rejects(openMetadata(await forge(concat(u16(511), full.subarray(2))), reading), damaged, 'a length one beyond a full block')
  await t.rejects(openMetadata(await forge(concat(u16(510), right.subarray(2))), reading), damaged, 'a length that takes in the zeros')
  await t.rejects(openMetadata(await forge(concat(u16(json.length - 1), right.subarray(2))), reading), damaged, 'a length that cuts the JSON')
})

t.test('the size is a multiple of 512 up to 4096', async (t) => {
  const json = utf8(JSON.stringify(file))
  for (const length of [200, 511, 513, 4095, 4097, 4608]) await t.rejects(openMetadata(await forge(padded(json, length)), reading), damaged, `length=${length}`)
  await t.rejects(openMetadata(await forge(new Uint8Array()), reading), damaged)
  await t.rejects(openMetadata(new Uint8Array(), reading), damaged)
})

t.test('every part of the header and of the seal is checked', async (t) => {
  const sealed = await sealMetadata(file, writing)
  for (let i = 0; i < 92; i++) await t.rejects(openMetadata(flipped(sealed, i), { ...reading, writers: ['A', 'B', 'S'] }), damaged, `byte=${i}`)
  for (const i of [92, 93, 300, -17, -16, -1]) await t.rejects(openMetadata(flipped(sealed, i), reading), damaged, `byte=${i}`)
  const others = [{ ...reading, contentKey: flipped(contentKey, 0) }, { ...reading, fileId: fileId('f'.repeat(32)) }, { ...reading, writers: 'B' }] as const
  for (const expected of others) await t.rejects(openMetadata(sealed, expected), damaged)
})

t.test('metadata is no container, and a container no metadata', async (t) => {
  const sealed = await sealMetadata(file, writing)
  await t.rejects(openContainer(sealed.subarray(0, 92), reading), { code: 'CONTAINER_DAMAGED' })
  const renamed = concat(utf8('LSF1'), sealed.subarray(4, 92))
  await t.rejects(openContainer(renamed, reading), { code: 'CONTAINER_DAMAGED' })
})

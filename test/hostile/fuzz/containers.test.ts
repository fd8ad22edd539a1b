import fc from 'fast-check'
import t from 'tap'
import { chunkCount, containerSize, openContainer, openStream, plaintextSize, sealStream } from '../../../lib/crypto/container.js'
import { chunkSpan, MAX_PLAINTEXT } from '../../../lib/crypto/container-sizes.js'
import { concat, equalBytes, randomBytes, u16, utf8, type Bytes } from '../../../lib/crypto/bytes.js'
import { chunkParameters, createHeader, HEADER_SIZE, METADATA, newSalt } from '../../../lib/crypto/container-header.js'
import { checkSealedMetadata, openMetadata, sealMetadata, type Metadata } from '../../../lib/crypto/metadata.js'
import { isLocalSendError } from '../../../lib/errors.js'
import { newFileId } from '../../../lib/new-ids.js'
import { bytes, json, mutatedBytes, pieces, sizes, stream, text } from './inputs.js'
import { holds, must, read } from './holds.js'

const isDamaged = (error: unknown): boolean => isLocalSendError(error, 'CONTAINER_DAMAGED')
const isMetadataDamaged = (error: unknown): boolean => isLocalSendError(error, 'METADATA_DAMAGED')
const isRange = (error: unknown): boolean => error instanceof RangeError
const [contentKey, fileId] = [randomBytes(32), newFileId()]
const expected = { contentKey, fileId, writers: 'A' } as const

async function whole (source: AsyncIterable<Uint8Array>): Promise<Bytes> {
  const read: Uint8Array[] = []
  for await (const piece of source) read.push(piece.slice())
  return concat(...read)
}
const seal = (plaintext: Uint8Array, chunkLog2 = 0x10): Promise<Bytes> => whole(sealStream(stream([plaintext]), { contentKey, fileId, writer: 'A', chunkLog2 }))
const open = (all: readonly Uint8Array[]): Promise<Bytes> => whole(openStream(stream(all), expected))

/** Some pattern of a size at or about a whole number of chunks of 64 KiB. */
const plaintexts = fc.oneof(fc.nat(300), fc.constantFrom(0, 1, 2 ** 16 - 1, 2 ** 16, 2 ** 16 + 1, 2 ** 17, 2 ** 17 + 9)).map((size) => Uint8Array.from({ length: size }, (_, i) => i * 7))

t.test('a container', async (t) => {
  await holds(t, 'comes back, however it is cut', fc.asyncProperty(plaintexts, sizes, async (plaintext, cuts) => {
    const container = await seal(plaintext)
    must(container.length === containerSize(plaintext.length, 0x10) && plaintextSize(container.length, 0x10) === plaintext.length, 'another size')
    must(equalBytes(await open(pieces(container, cuts)), plaintext), 'another content')
  }), 4)
  const containers = await Promise.all([0, 1, 200, 2 ** 16, 2 ** 16 + 5].map(async (size) => ({ plaintext: new Uint8Array(size).fill(3), container: await seal(new Uint8Array(size).fill(3)) })))
  const mutated = fc.constantFrom(...containers).chain((right) => fc.tuple(fc.constant(right), mutatedBytes(fc.constant(right.container))))
  await holds(t, 'that was changed does not open', fc.asyncProperty(mutated, sizes, async ([{ container }, changed], cuts) => {
    const opened = await read(() => open(pieces(changed, cuts)), isDamaged)
    must((opened !== undefined) === equalBytes(changed, container), 'it opened')
  }), 4)
  await holds(t, 'of any bytes does not open', fc.asyncProperty(bytes({ maxLength: 300 }), async (given) => { must(await read(() => open([given]), isDamaged) === undefined, 'it opened') }))
  const headers = mutatedBytes(fc.constant((containers[0]?.container ?? new Uint8Array()).slice(0, HEADER_SIZE)))
  await holds(t, 'whose header was changed is refused before any chunk', fc.asyncProperty(headers, async (header) => {
    const opener = await read(() => openContainer(header, expected), isDamaged)
    must(opener === undefined || equalBytes(header, containers[0]?.container.subarray(0, HEADER_SIZE) ?? new Uint8Array()), 'it opened')
  }))
})

const anyNumber = fc.oneof(fc.nat(2 ** 21), fc.integer(), fc.double(), fc.maxSafeNat(), fc.integer({ min: -9, max: 9 }).chain((by) => fc.nat(40).map((log2) => 2 ** log2 + by)))
const logs = fc.integer({ min: 0x10, max: 0x14 })

t.test('sizes', async (t) => {
  await holds(t, 'of plaintexts come back', fc.asyncProperty(anyNumber, logs, async (size, log2) => {
    const container = await read(() => containerSize(size, log2), isRange)
    must((container !== undefined) === (Number.isInteger(size) && size >= 0 && size <= MAX_PLAINTEXT), 'another range')
    must(container === undefined || plaintextSize(container, log2) === size, 'another size')
  }))
  const near = fc.tuple(fc.nat(3), logs, fc.integer({ min: -40, max: 40 })).map(([count, log2, by]) => containerSize(count * 2 ** log2, log2) + by)
  await holds(t, 'of containers are those of a plaintext, or refused', fc.asyncProperty(fc.oneof(anyNumber, near, fc.nat(300)), logs, async (size, log2) => {
    const plaintext = await read(() => plaintextSize(size, log2), isDamaged)
    must(plaintext === undefined || containerSize(plaintext, log2) === size, 'another size')
  }))
  await holds(t, 'of ranges lie within', fc.asyncProperty(anyNumber, anyNumber, anyNumber, logs, async (start, end, size, log2) => {
    const span = await read(() => chunkSpan(start, end, size, log2), isRange)
    if (span === undefined) return
    must(span.size === end - start && span.count === chunkCount(size, log2) && span.skip < 2 ** log2 && span.skip >= 0, 'another range')
    must(span.offset >= HEADER_SIZE && span.offset + span.length <= containerSize(size, log2) && span.first <= span.last && span.last < span.count, 'beyond the container')
  }))
})

const described: fc.Arbitrary<Metadata> = fc.record({
  name: text(100).filter((name) => name !== '' && name.isWellFormed()),
  size: fc.option(fc.nat()),
  type: text(20).filter((type) => type.isWellFormed()),
  modified: fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true }).map((date) => date.toISOString()),
  kind: fc.constantFrom('text' as const, 'directory' as const),
  mode: fc.nat(0o7777)
}, { requiredKeys: ['name', 'size', 'type', 'modified'] })

/** What a member of the session seals who does not keep to the rules. */
async function sealAny (plaintext: Bytes): Promise<Bytes> {
  const unlocked = await createHeader(METADATA, { contentKey, fileId, writer: 'A', part: 0, chunkLog2: 0, salt: newSalt() })
  return concat(unlocked.header, new Uint8Array(await crypto.subtle.encrypt(chunkParameters(unlocked, 0, true), unlocked.key, plaintext)))
}
const padded = (content: Bytes, length = content.length): Bytes => {
  const block = new Uint8Array(Math.max(512, Math.ceil((content.length + 2) / 512) * 512))
  block.set(concat(u16(length), content))
  return block
}

t.test('a description', async (t) => {
  const read4 = (sealed: Uint8Array): Promise<Metadata | undefined> => read(async () => (await openMetadata(sealed, expected)).metadata, isMetadataDamaged)
  await holds(t, 'comes back', fc.asyncProperty(described, async (metadata) => {
    const back = await read4(await sealMetadata(metadata, { contentKey, fileId, writer: 'A' }))
    must(back !== undefined && Object.entries(metadata).every(([key, value]) => Reflect.get(back, key) === value), 'another description')
  }), 2)
  const right = await sealMetadata({ name: 'a', size: 1, type: '', modified: '2026-01-01T00:00:00Z' }, { contentKey, fileId, writer: 'A' })
  await holds(t, 'that was changed does not open', fc.asyncProperty(fc.oneof(bytes({ maxLength: 700 }), mutatedBytes(fc.constant(right))), async (sealed) => {
    must((await read4(sealed) !== undefined) === equalBytes(sealed, right), 'it opened')
    await read(() => { checkSealedMetadata(sealed, expected) }, isMetadataDamaged)
  }))
  await holds(t, 'that is followed by anything but zeros is refused', fc.asyncProperty(described, bytes({ minLength: 1, maxLength: 20 }), async (metadata, more) => {
    const content = utf8(JSON.stringify(metadata))
    const back = await read4(await sealAny(padded(concat(content, more), content.length)))
    must((back !== undefined) === more.every((byte) => byte === 0), 'it was passed over')
  }), 2)
  const field = fc.oneof(json, text())
  const almost = fc.record({ name: field, size: field, type: field, modified: field, kind: field, mode: field, __proto__: field }, { requiredKeys: [] })
  const plaintexts = fc.oneof(
    bytes({ minLength: 512, maxLength: 512 }),
    fc.tuple(bytes({ maxLength: 600 }), fc.nat(0xFFFF)).map(([content, length]) => padded(content, length)),
    json.map((value) => padded(utf8(JSON.stringify(value)))),
    fc.tuple(described, almost).map(([whole, other]) => padded(utf8(JSON.stringify({ ...whole, ...other })))),
    fc.tuple(described, fc.constantFrom('name', 'size', 'type', 'modified', 'kind', 'mode'), fc.oneof(field, fc.constantFrom(-1, 1.5, 2 ** 40 + 1, 0o10000, '', null, '2026-13-01T00:00:00Z'))).map(([whole, key, value]) => padded(utf8(JSON.stringify({ ...whole, [key]: value })))),
    mutatedBytes(described.map((metadata) => padded(utf8(JSON.stringify(metadata))))).filter(({ length }) => length === 512)
  ).filter(({ length }) => length <= 4096)
  await holds(t, 'of a member who lies has fields of their types, or is refused', fc.asyncProperty(plaintexts, async (plaintext) => {
    const metadata = await read4(await sealAny(plaintext))
    if (metadata === undefined) return
    const { name, size, type, modified, kind, mode } = metadata
    must(typeof name === 'string' && name !== '' && typeof type === 'string' && !Number.isNaN(Date.parse(modified)), 'a field of another type')
    must(size === null || (Number.isInteger(size) && size >= 0 && size <= MAX_PLAINTEXT), 'no size')
    must(new Set<unknown>([undefined, 'text', 'directory']).has(kind) && (mode === undefined || (mode >= 0 && mode <= 0o7777)), 'no kind, or no mode')
    must(Object.keys(metadata).every((key) => ['name', 'size', 'type', 'modified', 'kind', 'mode'].includes(key)), 'more fields')
  }))
})

import t, { type Test } from 'tap'
import { concat, randomBytes, type Bytes } from '../../lib/crypto/bytes.js'
import { containerSize, HEADER_SIZE, openStream, sealStream, TAG_SIZE } from '../../lib/crypto/container.js'
import type { BlobStore } from '../../lib/files/blob-store.js'
import { DiskStore } from '../../lib/files/disk-store.js'
import { recoverPart } from '../../lib/files/recover-part.js'
import { newFileId, newSessionId } from '../../lib/new-ids.js'
import { collect, flipped, inPieces, pattern } from '../crypto/fixtures/helpers.js'
import { randomContent } from '../helpers/client.js'
import { temporaryFolder } from '../helpers/server.js'

const CHUNK = 2 ** 18
const WHOLE = CHUNK + TAG_SIZE
const KEY = { sessionId: newSessionId(), fileId: newFileId(), part: 2 }
const EXPECTED = { contentKey: randomBytes(32), fileId: KEY.fileId, writers: 'S' } as const

/** Three whole chunks, and a last one. */
const content = pattern(3 * CHUNK + 1000)

const seal = (plaintext: Bytes, other: { readonly part?: number, readonly contentKey?: Bytes } = {}): Promise<Bytes> =>
  collect(sealStream(inPieces(plaintext), { ...EXPECTED, part: KEY.part, writer: 'S', ...other }))

/** A store that has these bytes as its one blob. */
async function storeWith (t: Test, bytes: Bytes): Promise<BlobStore> {
  const blobs = new DiskStore(await temporaryFolder(t))
  const writer = await blobs.create(KEY)
  await writer.write(bytes)
  await writer.commit()
  return blobs
}

async function stored (blobs: BlobStore): Promise<Bytes> {
  const blob = await blobs.open(KEY)
  const bytes = new Uint8Array(blob.size)
  await blob.read(bytes, 0)
  await blob.close()
  return bytes
}

/** Recovers a part twice. @returns what it is in the end */
async function recovered (t: Test, bytes: Bytes, size: number, name: string): Promise<Bytes | undefined> {
  const blobs = await storeWith(t, bytes)
  t.equal(await recoverPart(blobs, KEY, EXPECTED), size, name)
  const once = await blobs.has(KEY) ? await stored(blobs) : undefined
  t.equal(once?.length, size === 0 ? undefined : containerSize(size), `${name}: its size on the disk`)
  t.equal(await recoverPart(blobs, KEY, EXPECTED), size, `${name}: once more`)
  if (once === undefined) return undefined
  t.ok(Buffer.from(once).equals(await stored(blobs)), `${name}: nothing is left to do`)
  const plaintext = await collect(openStream(inPieces(once), { ...EXPECTED, part: KEY.part }))
  t.ok(Buffer.from(plaintext).equals(content.subarray(0, size)), `${name}: a whole container of what had come`)
  return once
}

t.test('wherever writing stopped, the whole chunks stay', async (t) => {
  const container = await seal(content)
  const chunks = [1, 2, 3].map((count) => HEADER_SIZE + count * WHOLE)
  const cuts = [0, 1, HEADER_SIZE - 1, HEADER_SIZE, HEADER_SIZE + 1, HEADER_SIZE + TAG_SIZE, HEADER_SIZE + CHUNK, ...chunks.flatMap((end) => [end - 1, end, end + 1, end + TAG_SIZE, end + TAG_SIZE + 1]), container.length - 1]
  for (const cut of cuts) {
    const whole = Math.max(0, Math.floor((cut - HEADER_SIZE) / WHOLE))
    const result = await recovered(t, container.slice(0, cut), whole * CHUNK, `cut at ${cut}`)
    if (result === undefined) continue
    const last = HEADER_SIZE + (whole - 1) * WHOLE
    t.ok(Buffer.from(result.subarray(0, last)).equals(container.subarray(0, last)), 'what stands before the last chunk is as it was')
    t.notOk(Buffer.from(result.subarray(last)).equals(container.subarray(last, last + WHOLE)), 'the last one has been sealed again')
  }
})

t.test('a part that is complete stays as it is', async (t) => {
  for (const size of [1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, content.length]) {
    const container = await seal(content.slice(0, size))
    const result = await recovered(t, container, size, `${size} bytes`)
    t.ok(result !== undefined && Buffer.from(result).equals(container), 'not a byte has changed')
  }
})

t.test('what is damaged ends in front of the damage', async (t) => {
  const container = await seal(content)
  const full = await seal(content.slice(0, 3 * CHUNK))
  const cases: Array<[string, number, Bytes]> = [
    ['in the last chunk', 3 * CHUNK, flipped(container, -1)],
    ['in the third chunk', 2 * CHUNK, flipped(container, HEADER_SIZE + 2 * WHOLE + 5)],
    ['in the first chunk', 0, flipped(container, HEADER_SIZE)],
    ['in the header', 0, flipped(container, HEADER_SIZE - 1)],
    ['bytes behind the end', 3 * CHUNK, concat(container, Uint8Array.of(0))],
    ['bytes behind an end that is a whole chunk', 2 * CHUNK, concat(full, Uint8Array.of(0))],
    ['zeros, as a file system may leave them', 2 * CHUNK, concat(container.subarray(0, HEADER_SIZE + 2 * WHOLE), new Uint8Array(WHOLE))],
    ['garbage', 0, randomContent(container.length)],
    ['an empty file', 0, await seal(new Uint8Array())],
    ['another part', 0, await seal(content, { part: 1 })],
    ['another key', 0, await seal(content, { contentKey: randomBytes(32) })]
  ]
  for (const [name, size, bytes] of cases) await recovered(t, bytes, size, name)
})

t.test('a recovery that was interrupted itself is done again', async (t) => {
  const container = await seal(content)
  const result = await recovered(t, container.slice(0, HEADER_SIZE + 3 * WHOLE), 3 * CHUNK, 'first')
  for (const written of [0, 1, WHOLE - 1]) {
    await recovered(t, concat(result ?? new Uint8Array()).slice(0, HEADER_SIZE + 2 * WHOLE + written), 2 * CHUNK, `${written} bytes of the new last chunk`)
  }
})

t.test('where nothing was begun there is nothing', async (t) => {
  const blobs = new DiskStore(await temporaryFolder(t))
  t.equal(await recoverPart(blobs, KEY, EXPECTED), 0)
})

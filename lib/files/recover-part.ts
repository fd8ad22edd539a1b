import type { Bytes } from '../crypto/bytes.js'
import { CHUNK_LOG2, HEADER_SIZE, openContainer, plaintextSize, sealAgainAsLast, TAG_SIZE, type Expectations } from '../crypto/container.js'
import { isLocalSendError } from '../errors.js'
import type { BlobKey, BlobReader, BlobStore } from './blob-store.js'

const CHUNK_SIZE = 2 ** CHUNK_LOG2
const WHOLE = CHUNK_SIZE + TAG_SIZE

/**
 * Closes the part that a crash left open (protocol local-send/1, section 5): its whole chunks are verified, a torn tail is
 * dropped, and the last whole chunk is sealed again as the last one: the same plaintext under another nonce. A part without a
 * whole chunk is removed. Interrupted itself, it can be called again.
 *
 * @returns bytes of plaintext that the part holds for good; 0 if there is none
 */
export async function recoverPart (blobs: BlobStore, key: BlobKey, expected: Expectations): Promise<number> {
  if (!await blobs.has(key)) return 0
  const found = await inspect(blobs, key, { ...expected, part: key.part })
  if (found.end !== undefined) await blobs.replaceEnd(key, found.end.position, found.end.bytes)
  if (found.size === 0) await blobs.remove(key)
  return found.size
}

/** What a crash left of a part that came sealed: whatever has been written. Whoever opens it finds out whether it is good. */
export async function sizeOfPart (blobs: BlobStore, key: BlobKey): Promise<number> {
  if (!await blobs.has(key)) return 0
  const blob = await blobs.open(key)
  await blob.close()
  return blob.size
}

interface Found {
  /** Bytes of plaintext that can be kept. */
  readonly size: number
  /** What has to stand at the end of the container; nothing if it was complete, and only the record did not learn of it. */
  readonly end?: { readonly position: number, readonly bytes: Bytes }
}

async function inspect (blobs: BlobStore, key: BlobKey, expected: Expectations): Promise<Found> {
  const blob = await blobs.open(key)
  try {
    const header = new Uint8Array(HEADER_SIZE)
    if (blob.size < HEADER_SIZE) return { size: 0 }
    await blob.read(header, 0)
    const { chunks, complete } = await verify(blob, header, expected)
    if (complete) return { size: plaintextSize(blob.size) }
    if (chunks === 0) return { size: 0 }
    const position = HEADER_SIZE + (chunks - 1) * WHOLE
    const last = new Uint8Array(WHOLE)
    await blob.read(last, position)
    return { size: chunks * CHUNK_SIZE, end: { position, bytes: await sealAgainAsLast(header, expected, chunks - 1, last) } }
  } finally {
    await blob.close()
  }
}

/** How many chunks from the first one are whole, and whether the next and last one is there too. */
async function verify (blob: BlobReader, header: Bytes, expected: Expectations): Promise<{ chunks: number, complete: boolean }> {
  const opener = await ifWhole(openContainer(header, expected))
  const buffer = new Uint8Array(WHOLE)
  for (let chunks = 0; ; chunks++) {
    const position = HEADER_SIZE + chunks * WHOLE
    const ciphertext = buffer.subarray(0, Math.min(WHOLE, blob.size - position))
    // An empty last chunk belongs to an empty file, and none of those is ever gone on with.
    if (opener === undefined || ciphertext.length <= TAG_SIZE) return { chunks, complete: false }
    await blob.read(ciphertext, position)
    if (ciphertext.length === WHOLE && await ifWhole(opener.open(chunks, false, ciphertext)) !== undefined) continue
    const reachesEnd = position + ciphertext.length === blob.size
    return { chunks, complete: reachesEnd && await ifWhole(opener.open(chunks, true, ciphertext)) !== undefined }
  }
}

/** The result; `undefined` where the container is damaged. */
async function ifWhole <Result> (result: Promise<Result>): Promise<Result | undefined> {
  try {
    return await result
  } catch (error) {
    if (isLocalSendError(error, 'CONTAINER_DAMAGED')) return undefined
    throw error
  }
}

import type { Bytes } from '../crypto/bytes.js'
import type { FileId, SessionId } from '../ids.js'
import { fencedKey, type BlobReader, type BlobStore } from './blob-store.js'
import { discard } from './discard.js'
import { inLane } from './in-lane.js'
import { SLOT_SIZE, type Lane } from './memory-budget.js'
import { openDownload } from './open-download.js'
import type { ByteRange } from './ranges.js'

/** Where the parts of a file lie, and what opens them. */
export interface FileSource {
  readonly blobs: BlobStore
  readonly sessionId: SessionId
  readonly fileId: FileId
  readonly fences?: readonly string[] | undefined
  /** `null`: what is stored is handed out as it is. */
  readonly contentKey: Bytes | null
  readonly lane: Lane
}

/**
 * Streams a range of one part of a file. A piece is valid until the next one is asked for.
 * @param size - bytes of the part, of plaintext where it is sealed here; `null` while it still grows
 * @throws LocalSendError CONTAINER_DAMAGED
 */
export async function * readPart ({ blobs, sessionId, fileId, fences, contentKey, lane }: FileSource, part: number, size: number | null, range: ByteRange): AsyncGenerator<Bytes, void> {
  const blob = await blobs.open(fencedKey({ sessionId, fileId, part }, fences?.[part]))
  try {
    if (contentKey === null) yield * copyOut(blob, lane, range)
    else yield * openDownload({ blob, size, lane, expected: { contentKey, fileId, part, writers: 'S' } }, range)
  } finally {
    await blob.close()
  }
}

/**
 * Streams a range of a file: its parts in order, each opened when its turn has come.
 * @param parts - bytes of each part
 * @throws LocalSendError CONTAINER_DAMAGED
 */
export async function * readParts (source: FileSource, parts: readonly number[], { start, end }: ByteRange): AsyncGenerator<Bytes, void> {
  let before = 0
  for (const [part, size] of parts.entries()) {
    // Only an empty file has an empty part; it is opened like any other, so that a damaged one is noticed.
    const inside = { start: Math.max(0, start - before), end: Math.min(size, end - before) }
    if (inside.start < inside.end || size === 0) yield * readPart(source, part, size, inside)
    before += size
  }
}

/** Streams a range of a blob as it is. */
async function * copyOut (blob: BlobReader, lane: Lane, { start, end }: ByteRange): AsyncGenerator<Bytes, void> {
  function * pieces (): Generator<() => Promise<Bytes>> {
    for (let at = start; at < end; at += SLOT_SIZE) yield () => read(blob, at, Math.min(SLOT_SIZE, end - at))
  }
  for await (const bytes of inLane(lane, pieces())) {
    yield bytes
    discard(bytes)
  }
}

async function read (blob: BlobReader, position: number, length: number): Promise<Bytes> {
  const bytes = new Uint8Array(length)
  await blob.read(bytes, position)
  return bytes
}

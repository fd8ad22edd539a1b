import type { Bytes } from '../crypto/bytes.js'
import type { FileId, SessionId } from '../ids.js'
import type { BlobStore } from './blob-store.js'
import type { Lane } from './memory-budget.js'
import { openDownload } from './open-download.js'
import type { ByteRange } from './ranges.js'

/** Where the containers of a file lie, and what opens them. */
export interface FileSource {
  readonly blobs: BlobStore
  readonly sessionId: SessionId
  readonly fileId: FileId
  readonly contentKey: Bytes
  readonly lane: Lane
}

/**
 * Streams a range of one container of a file. A piece is valid until the next one is asked for.
 * @param size - bytes of plaintext; `null` while the container still grows
 * @throws LocalSendError CONTAINER_DAMAGED
 */
export async function * readPart ({ blobs, sessionId, fileId, contentKey, lane }: FileSource, part: number, size: number | null, range: ByteRange): AsyncGenerator<Bytes, void> {
  const blob = await blobs.open({ sessionId, fileId, part })
  try {
    yield * openDownload({ blob, size, lane, expected: { contentKey, fileId, part, writers: 'S' } }, range)
  } finally {
    await blob.close()
  }
}

/**
 * Streams a range of a file: its containers in order, each opened when its turn has come.
 * @param parts - bytes of plaintext of each container
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

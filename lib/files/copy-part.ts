import type { BlobWriter } from './blob-store.js'
import type { Checksum } from './checksum.js'
import type { Lane } from './memory-budget.js'
import { OrderedWrites } from './ordered-writes.js'
import type { FileReservation } from './storage-quota.js'

interface Part {
  readonly source: AsyncIterable<Uint8Array>
  readonly writer: BlobWriter
  readonly lane: Lane
  readonly reservation: FileReservation
  /** Takes in every byte. */
  readonly checksums: readonly Checksum[]
  /** Called when writing fails: ends the source, which may be waiting for a slow sender. */
  readonly abort: (reason: unknown) => void
  /** Told of bytes as they are taken in. */
  readonly count: (bytes: number) => void
  /** Told how many bytes can be read by now. */
  readonly onReadable?: ((bytes: number) => void) | undefined
}

/**
 * Streams bytes that are sealed already into a blob: counted, and written a few pieces at a time. A piece must stay valid when the
 * next one is asked for.
 *
 * @returns how many bytes, once all of them have been written
 */
export async function copyPart ({ source, writer, lane, reservation, checksums, abort, count, onReadable }: Part): Promise<number> {
  const writes = new OrderedWrites(writer, abort)
  let size = 0
  let written = 0
  try {
    for await (const piece of source) {
      await reservation.take(piece.length)
      const release = await lane.acquire()
      size += piece.length
      count(piece.length)
      writes.add(Promise.resolve(piece), ({ length }) => {
        written += length
        onReadable?.(written)
      }, release)
      for (const checksum of checksums) checksum.update(piece)
    }
  } finally {
    // What is under way is written before the caller closes the blob.
    await writes.settled().catch(() => {})
  }
  await writes.settled()
  return size
}

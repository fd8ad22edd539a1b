import { cutChunks } from '../crypto/chunks.js'
import type { Sealer } from '../crypto/container.js'
import type { BlobWriter } from './blob-store.js'
import { Checksum } from './checksum.js'
import { discard } from './discard.js'
import type { Lane } from './memory-budget.js'
import { OrderedWrites } from './ordered-writes.js'
import type { FileReservation } from './storage-quota.js'

interface Part {
  readonly source: AsyncIterable<Uint8Array>
  readonly sealer: Sealer
  readonly writer: BlobWriter
  readonly lane: Lane
  readonly reservation: FileReservation
  /** Takes in every byte of the plaintext. */
  readonly checksums: readonly Checksum[]
  /** Called when sealing or writing fails: ends the source, which may be waiting for a slow sender. */
  readonly abort: (reason: unknown) => void
  /** Told of bytes as they are taken in. */
  readonly count: (bytes: number) => void
  /** Told how many bytes of plaintext can be read by now: whole chunks, never the last one. */
  readonly onReadable?: ((bytes: number) => void) | undefined
}

/**
 * Streams a plaintext into a container: cut, counted, sealed, written. Chunks are sealed and written side by side, as many as
 * the lane has slots for, and in order; when no slot is free, the source is not read.
 *
 * @returns bytes of the plaintext, once all of it has been written
 */
export async function sealPart ({ source, sealer, writer, lane, reservation, checksums, abort, count, onReadable }: Part): Promise<number> {
  const writes = new OrderedWrites(writer, abort)
  let size = 0
  // The sealer goes on using its header.
  writes.add(Promise.resolve(sealer.header.slice()))
  try {
    for await (const { index, last, bytes } of cutChunks(source, sealer.chunkSize)) {
      await reservation.take(bytes.length)
      const release = await lane.acquire()
      size += bytes.length
      count(bytes.length)
      // Sealing copies the bytes before it returns, so that the chunker may reuse its one buffer.
      const readable = last ? undefined : (index + 1) * sealer.chunkSize
      writes.add(sealer.seal(index, last, bytes), (sealed) => {
        discard(sealed)
        if (readable !== undefined) onReadable?.(readable)
      }, release)
      for (const checksum of checksums) checksum.update(bytes)
    }
  } catch (error) {
    // What is under way is written before the caller closes the blob.
    await writes.settled().catch(() => {})
    throw error
  }
  await writes.settled()
  return size
}

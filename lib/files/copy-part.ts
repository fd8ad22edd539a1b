import type { BlobWriter } from './blob-store.js'
import type { Checksum } from './checksum.js'
import { discardOwn } from './discard.js'
import { SLOT_SIZE, type Lane, type Release } from './memory-budget.js'
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

/** A place for a few pieces; given back when all that is in it has been written. */
class Slot {
  readonly #release: Release
  #bytes = 0
  #pieces = 0
  #open = true

  constructor (release: Release) {
    this.#release = release
  }

  hasRoomFor (bytes: number): boolean {
    return this.#open && this.#bytes + bytes <= SLOT_SIZE
  }

  enter (bytes: number): void {
    this.#bytes += bytes
    this.#pieces += 1
  }

  leave (): void {
    this.#pieces -= 1
    if (this.#pieces > 0) return
    this.#open = false
    this.#release()
  }
}

/**
 * Streams bytes that are sealed already into a blob: counted, and written several pieces at a time. The pieces must be nobody else's: their
 * memory is given back when they have been written.
 *
 * @returns how many bytes, once all of them have been written
 */
export async function copyPart ({ source, writer, lane, reservation, checksums, abort, count, onReadable }: Part): Promise<number> {
  let slot: Slot | undefined
  let size = 0
  let written = 0
  let all = Promise.resolve()
  const write = async (piece: Uint8Array, slot: Slot): Promise<void> => {
    slot.enter(piece.length)
    try {
      await writer.write(piece)
      written += piece.length
      onReadable?.(written)
      discardOwn(piece)
    } finally {
      slot.leave()
    }
  }
  try {
    for await (const piece of source) {
      await reservation.take(piece.length)
      if (slot?.hasRoomFor(piece.length) !== true) slot = new Slot(await lane.acquire())
      size += piece.length
      count(piece.length)
      all = Promise.all([all, write(piece, slot)]).then(() => {})
      all.catch(abort)
      for (const checksum of checksums) checksum.update(piece)
    }
  } finally {
    // What is under way is written before the caller closes the blob.
    await all.catch(() => {})
  }
  await all
  return size
}

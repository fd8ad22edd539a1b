/**
 * A stream of pieces of any size, cut into chunks (protocol local-send/1, section 5: every chunk has S bytes except the last).
 * No cryptography: container.ts says what a chunk is sealed with.
 *
 *     stream = chunk(size)* last(0 to size)      the last one is empty only if the whole stream is
 *
 * Invariant: the chunks in a row are the stream, whatever the sizes of the pieces it came in, and exactly one, the last that
 * comes, is marked as last. The source's iterator is closed on every path once it was asked for its first piece.
 */

import type { Bytes } from './bytes.js'

/** A piece of a stream, of the size that the reader asked for. */
export interface Chunk {
  /** 0 for the first one. */
  readonly index: number
  /** Whether the stream ends with this one. */
  readonly last: boolean
  /** A view of a buffer that all chunks share: valid only until the next chunk is asked for. */
  readonly bytes: Bytes
}

/**
 * Cuts a stream into chunks of `size` bytes. A full chunk comes out only when one more byte has come in or the stream has
 * ended, so that the last one is known as such. Each byte is copied once.
 *
 * `bytes` of all chunks is the same buffer: use it, or start a WebCrypto call on it (that copies its input before it returns),
 * before the next chunk is asked for.
 */
export async function * cutChunks (source: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Chunk, void, undefined> {
  const buffer = new Uint8Array(size)
  let index = 0
  let filled = 0
  for await (const piece of source) {
    let taken = 0
    while (taken < piece.length) {
      if (filled === size) {
        yield { index, last: false, bytes: buffer }
        index += 1
        filled = 0
      }
      const part = piece.subarray(taken, taken + size - filled)
      buffer.set(part, filled)
      filled += part.length
      taken += part.length
    }
  }
  yield { index, last: true, bytes: buffer.subarray(0, filled) }
}

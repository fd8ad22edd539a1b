/**
 * Whole containers and ranges of them as streams (protocol local-send/1, section 5), a few chunks under way at once.
 *
 *     container stream = header(92) ‖ chunk* ‖ last chunk, in pieces of any size
 *
 * Invariant: what comes out of {@link openStream} and {@link openRange} was verified, and a stream that ends without its last
 * chunk, or goes on after it, fails. It fails at its end: until then a reader has only a beginning, which must not stand under
 * its final name (section 5). Once a stream was begun, its source is closed on every path.
 */

import { LocalSendError } from '../errors.js'
import type { Bytes } from './bytes.js'
import { cutChunks } from './chunks.js'
import { HEADER_SIZE, TAG_SIZE, type Expectations } from './container-header.js'
import type { ChunkSpan } from './container-sizes.js'
import { createSealer, openContainer, type Opener, type SealerOptions } from './container-chunks.js'
import { inFlight, takeHead } from './streams.js'

/**
 * The container of a plaintext: the header, then every chunk. The header comes once the first chunk has been read, so that a
 * reader who stops at any point leaves no open source behind.
 *
 * @throws RangeError as {@link createSealer} does (the source is then not touched), or beyond 2^40 bytes
 */
export async function * sealStream (source: AsyncIterable<Uint8Array>, options: Omit<SealerOptions, 'startAt'>): AsyncGenerator<Bytes, void, undefined> {
  const sealer = await createSealer(options)
  const head = [sealer.header]
  const chunks = cutChunks(source, sealer.chunkSize)
  for await (const sealed of inFlight(chunks, ({ index, last, bytes }) => sealer.seal(index, last, bytes))) {
    yield * head.splice(0)
    yield sealed
  }
}

/**
 * The plaintext of a container, one verified chunk after the other; nothing at all for an empty file.
 *
 * @throws CONTAINER_DAMAGED if anything is not as expected, the end included
 */
export async function * openStream (source: AsyncIterable<Uint8Array>, expected: Expectations): AsyncGenerator<Bytes, void, undefined> {
  const pieces = source[Symbol.asyncIterator]()
  try {
    const { head, rest } = await takeHead(pieces, HEADER_SIZE)
    const opener = await openContainer(head, expected)
    const chunks = cutChunks(rest, opener.chunkSize + TAG_SIZE)
    for await (const plaintext of inFlight(chunks, ({ index, last, bytes }) => opener.open(index, last, bytes))) {
      if (plaintext.length > 0) yield plaintext
    }
  } finally {
    await pieces.return?.()
  }
}

/**
 * Exactly the plaintext bytes of a range, in verified pieces. `ciphertext` is `span.length` bytes of the container from
 * `span.offset`, in pieces of any size.
 *
 * The size that the span was computed from is a claim. If the range does not reach the end, the last chunk (`span.count - 1`)
 * must be opened besides, before that size is told to anyone as the file's.
 *
 * @throws CONTAINER_DAMAGED if a chunk does not open, or the ciphertext is shorter or longer than the span
 */
export async function * openRange (opener: Opener, ciphertext: AsyncIterable<Uint8Array>, span: ChunkSpan): AsyncGenerator<Bytes, void, undefined> {
  const sealedSize = opener.chunkSize + TAG_SIZE
  const lastLength = span.length - (span.last - span.first) * sealedSize
  let { skip, size: left } = span
  const opened = inFlight(cutChunks(ciphertext, sealedSize), async ({ index, last, bytes }) => {
    const i = span.first + index
    // Ending early and going on are the same here: the chunk that ends the stream is not the one that ends the span.
    if (last !== (i === span.last) || (last && bytes.length !== lastLength)) throw new LocalSendError('CONTAINER_DAMAGED')
    return opener.open(i, i === span.count - 1, bytes)
  })
  for await (const plaintext of opened) {
    const piece = plaintext.subarray(skip, skip + left)
    skip = 0
    left -= piece.length
    if (piece.length > 0) yield piece
  }
}

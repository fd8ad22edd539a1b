import type { Bytes } from '../crypto/bytes.js'
import { chunkSpan, HEADER_SIZE, MAX_PLAINTEXT, openContainer, plaintextSize, TAG_SIZE, type Expectations, type Opener } from '../crypto/container.js'
import { LocalSendError } from '../errors.js'
import type { BlobReader } from './blob-store.js'
import { discard } from './discard.js'
import { inLane } from './in-lane.js'
import type { Lane } from './memory-budget.js'
import type { ByteRange } from './ranges.js'

interface Container {
  readonly blob: BlobReader
  readonly expected: Expectations
  /** Bytes of plaintext, as the session's record says; `null` while the container still grows: then the last chunk is not there. */
  readonly size: number | null
  readonly lane: Lane
}

/**
 * Streams the plaintext bytes of a range out of a container: read, opened and yielded chunk by chunk, as many side by side as
 * the lane has slots for. A chunk counts as in flight until the next one is asked for; then its memory is given back, and what
 * was yielded of it is no longer valid.
 *
 * @throws LocalSendError CONTAINER_DAMAGED, at the latest instead of the first chunk that is not as it was sealed
 */
export async function * openDownload (container: Container, range: ByteRange): AsyncGenerator<Bytes, void, undefined> {
  const { blob, size, lane } = container
  if (size !== null && plaintextSize(blob.size) !== size) throw new LocalSendError('CONTAINER_DAMAGED')
  const header = new Uint8Array(HEADER_SIZE)
  await blob.read(header, 0)
  const reader = new ChunkReader(blob, await openContainer(header, container.expected))
  const { first, last, count, skip } = chunkSpan(range.start, range.end, size ?? MAX_PLAINTEXT)
  function * chunks (): Generator<() => Promise<Bytes>> {
    for (let index = first; index <= last; index++) yield () => reader.chunk(index, index === count - 1)
  }
  let from = skip
  let rest = range.end - range.start
  for await (const bytes of inLane(lane, chunks())) {
    const piece = bytes.subarray(from, from + rest)
    from = 0
    rest -= piece.length
    yield piece
    discard(bytes)
  }
}

/** Reads chunks into buffers that it uses again, since opening copies the ciphertext before it returns. */
class ChunkReader {
  readonly #blob: BlobReader
  readonly #opener: Opener
  readonly #buffers: Bytes[] = []

  constructor (blob: BlobReader, opener: Opener) {
    this.#blob = blob
    this.#opener = opener
  }

  async chunk (index: number, last: boolean): Promise<Bytes> {
    const whole = this.#opener.chunkSize + TAG_SIZE
    const position = HEADER_SIZE + index * whole
    const length = last ? this.#blob.size - position : whole
    // A small file gets no buffer for a whole chunk: of thousands, the garbage collector would run for every few.
    const buffer = this.#buffers.pop() ?? new Uint8Array(length)
    const ciphertext = buffer.subarray(0, length)
    await this.#blob.read(ciphertext, position)
    const plaintext = this.#opener.open(index, last, ciphertext)
    if (!last) this.#buffers.push(buffer)
    return await plaintext
  }
}

/** Large files in several blobs, where one that is still open is worth nothing (BlobStore.maxOpenBytes). */

/** Milliseconds after which a blob is ended although few bytes have come: whoever reads along waits no longer. */
const FIRST_PARTS_TIME = 10_000
const LATER_PARTS_TIME = 60_000
/** So many parts of one size follow each other: 10,000 of them, as many as a file may have, hold far more than the largest file. */
const PARTS_OF_ONE_SIZE = 1000

/** How far one part of a file may grow. */
export interface PartLimit {
  readonly bytes: number
  readonly milliseconds: number
}

/** Where a part has no end but that of what is sent. */
export const UNLIMITED: PartLimit = { bytes: Number.POSITIVE_INFINITY, milliseconds: Number.POSITIVE_INFINITY }

/**
 * How far a part may grow before the next one is begun: the first thousand as the store says, each thousand behind them twice as far.
 * @param maxOpenBytes - see BlobStore
 */
export function partLimit (maxOpenBytes: number, part: number): PartLimit {
  if (maxOpenBytes === Number.POSITIVE_INFINITY) return UNLIMITED
  const thousands = Math.floor(part / PARTS_OF_ONE_SIZE)
  return { bytes: maxOpenBytes * 2 ** thousands, milliseconds: thousands === 0 ? FIRST_PARTS_TIME : LATER_PARTS_TIME }
}

/** A stream that is taken in several, one behind the other. */
export class Sections {
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #length: number
  #taken = 0
  #ended = false

  /**
   * @param length - bytes that will come; Infinity where nobody knows. The last of them ends no section: what comes behind it is the
   *   stream's to judge
   */
  constructor (stream: AsyncIterable<Uint8Array>, length = Number.POSITIVE_INFINITY) {
    this.#pieces = stream[Symbol.asyncIterator]()
    this.#length = length
  }

  /** Whether the stream has come to its end. */
  get ended (): boolean {
    return this.#ended
  }

  /** The stream from where the last section ended, up to the first piece that reaches a limit; the clock starts with the first one. */
  async * next ({ bytes, milliseconds }: PartLimit): AsyncGenerator<Uint8Array, void> {
    let size = 0
    let begun: number | undefined
    for (;;) {
      const next = await this.#pieces.next()
      if (next.done === true) {
        this.#ended = true
        return
      }
      begun ??= performance.now()
      size += next.value.length
      this.#taken += next.value.length
      yield next.value
      const isFull = size >= bytes || performance.now() - begun >= milliseconds
      if (isFull && this.#taken < this.#length) return
    }
  }

  /** Tells the stream that no more of it is wanted; to be called on every path. */
  async end (): Promise<void> {
    await this.#pieces.return?.()
  }
}

/** How large the pieces of an upload are: small enough to show progress and to lose little, and not too many. */

import { MAX_PLAINTEXT } from '../lib/crypto/container.js'

const MIB = 2 ** 20
/** Bytes of the first piece, where nothing is known of the speed. */
const FIRST = 4 * MIB
/** Bytes of a piece, unless the upload would have too many. */
const LEAST = MIB
const MOST = 32 * MIB
/** Pieces of an upload of known length. A server takes twice as many, of which those are that broke. */
const MAX_PIECES = 5000
/** Pieces of an upload of unknown length that turns out to be as long as one can be: they grow with the root of what has been sent. */
const MAX_PIECES_UNKNOWN = 8000

/** The size of an upload's pieces: what takes about a second. */
export class Pace {
  readonly #length: number | null
  #wanted = FIRST

  /** @param length - bytes of the whole upload; `null` if unknown */
  constructor (length: number | null) {
    this.#length = length
  }

  /** Bytes of the piece that begins at `offset`. */
  sizeAt (offset: number): number {
    const enough = Math.ceil(this.#length === null ? 2 * Math.sqrt(MAX_PLAINTEXT * offset) / MAX_PIECES_UNKNOWN : this.#length / MAX_PIECES)
    return Math.max(enough, Math.min(MOST, Math.max(LEAST, this.#wanted)))
  }

  /** So many bytes were sent in so many milliseconds. */
  sent (bytes: number, milliseconds: number): void {
    this.#wanted = Math.min(2 * MOST, Math.round(bytes * 1000 / Math.max(1, milliseconds)))
  }
}

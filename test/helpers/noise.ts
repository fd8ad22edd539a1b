import { createCipheriv, createHash } from 'node:crypto'

/** Bytes without end that look random, and are the same for the same seed. */
export class Noise {
  readonly #cipher

  constructor (seed: string) {
    this.#cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), Buffer.alloc(16))
  }

  /** The next bytes. */
  take (length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#cipher.update(Buffer.alloc(length)))
  }
}

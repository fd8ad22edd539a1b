import { createCipheriv, createHash, type Cipher } from 'node:crypto'

const BLOCK = 16

/** Bytes without end that look random, and are the same for the same seed. */
export class Noise {
  readonly #cipher: Cipher

  /** @param position - of the first byte to take */
  constructor (seed: string, position = 0) {
    const counter = Buffer.alloc(BLOCK)
    counter.writeBigUInt64BE(BigInt(Math.floor(position / BLOCK)), BLOCK / 2)
    this.#cipher = createCipheriv('aes-256-ctr', createHash('sha256').update(seed).digest(), counter)
    this.take(position % BLOCK)
  }

  /** The next bytes. */
  take (length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#cipher.update(Buffer.alloc(length)))
  }
}

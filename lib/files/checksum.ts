import { createHash, type Hash } from 'node:crypto'

/** What senders may announce. SHA-1 is for tus clients that know nothing else: it finds accidents, not forgeries. */
export type ChecksumAlgorithm = 'sha256' | 'sha1'

/**
 * Incremental digest of a file. WebCrypto digests whole buffers only, so this is the one place that uses Node's streaming hash;
 * nothing secret passes through it.
 */
export class Checksum {
  readonly #hash: Hash

  constructor (algorithm: ChecksumAlgorithm | Hash = 'sha256') {
    this.#hash = typeof algorithm === 'string' ? createHash(algorithm) : algorithm
  }

  update (bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  /** Another one of the same state, which goes its own way. */
  copy (): Checksum {
    return new Checksum(this.#hash.copy())
  }

  /** Lowercase hex, as `sha256sum` prints it. To be called once. */
  digest (): string {
    return this.#hash.digest('hex')
  }
}

import { createHash } from 'node:crypto'

/**
 * Incremental SHA-256 of a file. WebCrypto digests whole buffers only, so this is the one place that uses Node's streaming
 * hash; nothing secret passes through it.
 */
export class Checksum {
  readonly #hash = createHash('sha256')

  update (bytes: Uint8Array): void {
    this.#hash.update(bytes)
  }

  /** Lowercase hex, as `sha256sum` prints it. To be called once. */
  digest (): string {
    return this.#hash.digest('hex')
  }
}

import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bytes } from '../crypto/bytes.js'
import { isLocalSendError, LocalSendError } from '../errors.js'
import type { BlobReader } from './blob-store.js'
import type { OpenedObject, S3Bucket } from './s3-bucket.js'
import { unavailable } from './s3-failures.js'

/** How often reading begins again where it broke, without a byte in between. */
const RETRIES = 3
/** Milliseconds before it does, the first time; then twice as long each time. */
const BACK_OFF = 200

/**
 * Reads one object. Reads follow each other closely, so one request delivers to all of them, from where the first one stands:
 * ahead of them is what the connection holds, and the storage waits for who reads slowly. It is asked again where somebody
 * reads elsewhere, and where it broke off.
 */
export class S3Reader implements BlobReader {
  readonly size: number
  readonly #bucket: S3Bucket
  readonly #name: string
  readonly #etag: string
  readonly #stallTimeout: number
  #body: Body | undefined
  #turn = Promise.resolve()
  #closed = false

  /** @param stallTimeout - milliseconds in which something must come of what is waited for */
  constructor (bucket: S3Bucket, name: string, { body, size, etag }: OpenedObject, stallTimeout: number) {
    this.#bucket = bucket
    this.#name = name
    this.size = size
    this.#etag = etag
    this.#stallTimeout = stallTimeout
    this.#body = new Body(body, 0, size, stallTimeout)
  }

  async read (target: Bytes, position: number): Promise<void> {
    this.#turn = this.#turn.catch(() => {}).then(() => this.#fill(target, position))
    await this.#turn
  }

  close (): Promise<void> {
    this.#closed = true
    this.#drop()
    return Promise.resolve()
  }

  async #fill (target: Bytes, position: number): Promise<void> {
    if (position + target.length > this.size) throw damaged('the blob is shorter than its record says')
    let failures = 0
    for (let filled = 0; filled < target.length;) {
      try {
        const body = await this.#at(position + filled)
        filled += await body.take(target.subarray(filled))
        failures = 0
      } catch (error) {
        this.#drop()
        if (this.#closed || isLocalSendError(error)) throw error
        if (++failures > RETRIES) throw unavailable(error instanceof Error ? error : new Error(String(error)))
        await delay(BACK_OFF * 2 ** failures)
      }
    }
  }

  async #at (position: number): Promise<Body> {
    if (this.#body?.position === position) return this.#body
    this.#drop()
    const opened = await this.#bucket.get(this.#name, position, this.#etag)
    if (opened === undefined) throw damaged('the blob has been removed')
    this.#body = new Body(opened.body, position, this.size, this.#stallTimeout)
    return this.#body
  }

  #drop (): void {
    this.#body?.close()
    this.#body = undefined
  }
}

/** What one request delivers. */
class Body {
  readonly #stream: Readable
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #end: number
  readonly #stallTimeout: number
  #piece: Uint8Array = new Uint8Array()
  position: number

  constructor (stream: Readable, position: number, end: number, stallTimeout: number) {
    this.#stallTimeout = stallTimeout
    this.#stream = stream
    this.#pieces = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
    this.position = position
    this.#end = end
    // Whoever waits for a piece learns of it; nobody may be waiting.
    stream.on('error', () => {})
  }

  /**
   * Fills as much of the target as one piece has bytes.
   * @returns how many
   */
  async take (target: Bytes): Promise<number> {
    while (this.#piece.length === 0) this.#piece = await this.#next()
    const taken = this.#piece.subarray(0, target.length)
    target.set(taken)
    this.#piece = this.#piece.subarray(taken.length)
    this.position += taken.length
    // Seeing the end of its answer, the connection can be used again.
    if (this.position === this.#end) this.#pieces.next().catch(() => {})
    return taken.length
  }

  async #next (): Promise<Uint8Array> {
    const timer = setTimeout(() => { this.#stream.destroy(new Error(`nothing came for ${this.#stallTimeout} ms`)) }, this.#stallTimeout)
    try {
      const next = await this.#pieces.next()
      if (next.done === true) throw new Error('the storage ended its answer early')
      return next.value
    } finally {
      clearTimeout(timer)
    }
  }

  close (): void {
    if (this.position < this.#end) this.#stream.destroy()
  }
}

const damaged = (why: string): LocalSendError => new LocalSendError('CONTAINER_DAMAGED', { cause: new Error(why) })

import type { Bytes } from '../crypto/bytes.js'
import { LocalSendError } from '../errors.js'
import { isFileId, isSessionId, type SessionId } from '../ids.js'
import { fencedKey, type BlobKey, type BlobReader, type BlobStore, type BlobWriter } from './blob-store.js'
import { MemoryBudget } from './memory-budget.js'
import { S3Bucket, type BucketSettings } from './s3-bucket.js'
import { S3Reader } from './s3-reader.js'
import { S3Writer } from './s3-writer.js'

/** Parts after which a blob is ended and another one begun: so much a crash may cost, and so far behind are those who read along. */
const MAX_OPEN_PARTS = 4
/** Milliseconds that an upload waits for memory. */
const MEMORY_PATIENCE = 30_000
/** Milliseconds in which something must come of what is being read. */
const STALL_TIMEOUT = 20_000
/** Milliseconds for which the bucket counts as looked at. */
const CHECKED_FOR = 5000
/** Bytes that are copied at once where the end of a blob is replaced. */
const COPIED = 2 ** 20

const OBJECT_NAME = /^([0-9a-f]{8})\/([0-9a-f]{32})\/(0|[1-9]\d{0,9})(?:-([0-9a-f]{16}))?\.lsf$/

/** The one function that names objects: ids that passed their pattern, a number, and a fence. */
const objectName = ({ sessionId, fileId, part, fence }: BlobKey): string => `${sessionId}/${fileId}/${part}${fence === undefined ? '' : `-${fence}`}.lsf`

export interface S3StoreOptions extends BucketSettings {
  /** Bytes of a part of a multipart upload. */
  readonly partSize: number
  /** Bytes for the parts under way of all blobs together. */
  readonly memory: number
  /** Milliseconds that an upload waits for some of it; {@link MEMORY_PATIENCE} unless set. */
  readonly memoryPatience?: number
  /** Milliseconds in which something must come of what is being read; {@link STALL_TIMEOUT} unless set. */
  readonly stallTimeout?: number
}

/**
 * Containers as objects in a bucket. A blob is there when it has been committed, never before, and as a whole: of what was not
 * committed, a crash leaves at most a multipart upload that {@link inventory} finds.
 */
export class S3Store implements BlobStore {
  readonly maxOpenBytes: number
  readonly #bucket: S3Bucket
  readonly #partSize: number
  readonly #memory: MemoryBudget
  readonly #stallTimeout: number
  /** Names that this process is writing. */
  readonly #writing = new Set<string>()
  #checked: { readonly at: number, readonly result: Promise<void> } | undefined

  private constructor (bucket: S3Bucket, { partSize, memory, memoryPatience = MEMORY_PATIENCE, stallTimeout = STALL_TIMEOUT }: S3StoreOptions) {
    this.#bucket = bucket
    this.#partSize = partSize
    this.maxOpenBytes = MAX_OPEN_PARTS * partSize
    this.#memory = new MemoryBudget(memory, partSize, memoryPatience)
    this.#stallTimeout = stallTimeout
  }

  /** @throws LocalSendError STORAGE_UNAVAILABLE where the bucket cannot be used */
  static async open (options: S3StoreOptions): Promise<S3Store> {
    return new S3Store(await S3Bucket.open(options), options)
  }

  create (key: BlobKey): Promise<BlobWriter> {
    const name = objectName(key)
    if (this.#writing.has(name)) return Promise.reject(new LocalSendError('FILE_EXISTS'))
    return Promise.resolve(this.#write(name, false))
  }

  #write (name: string, replaces: boolean): BlobWriter {
    this.#writing.add(name)
    return new S3Writer({
      bucket: this.#bucket,
      name,
      replaces,
      partSize: this.#partSize,
      memory: this.#memory,
      onEnd: () => { this.#writing.delete(name) }
    })
  }

  async has (key: BlobKey): Promise<boolean> {
    return await this.#bucket.has(objectName(key))
  }

  async open (key: BlobKey): Promise<BlobReader> {
    const name = objectName(key)
    const opened = await this.#bucket.get(name)
    if (opened === undefined) throw new LocalSendError('CONTAINER_DAMAGED', { cause: new Error('there is no such object') })
    return new S3Reader(this.#bucket, name, opened, this.#stallTimeout)
  }

  /** An object is changed only as a whole. */
  async replaceEnd (key: BlobKey, position: number, end: Bytes): Promise<void> {
    const reader = await this.open(key)
    const writer = this.#write(objectName(key), true)
    try {
      for (let at = 0; at < position; at += COPIED) {
        const bytes = new Uint8Array(Math.min(COPIED, position - at))
        await reader.read(bytes, at)
        await writer.write(bytes)
      }
      await writer.write(end)
      await writer.commit()
    } catch (error) {
      await writer.abort()
      throw error
    } finally {
      await reader.close()
    }
  }

  async remove (key: BlobKey): Promise<void> {
    await this.#bucket.remove(objectName(key))
  }

  freeSpace (): Promise<number> {
    return Promise.resolve(Number.POSITIVE_INFINITY)
  }

  async check (): Promise<void> {
    const now = performance.now()
    if (this.#checked === undefined || now - this.#checked.at > CHECKED_FOR) this.#checked = { at: now, result: this.#bucket.check() }
    await this.#checked.result
  }

  async inventory (before: number): Promise<ReadonlyMap<SessionId, readonly BlobKey[]>> {
    for await (const { name, uploadId, at } of this.#bucket.uploads()) {
      if (at < before && OBJECT_NAME.test(name)) await this.#bucket.abandon({ name, uploadId })
    }
    const blobs = new Map<SessionId, BlobKey[]>()
    for await (const { name, at } of this.#bucket.objects()) {
      const [, sessionId, fileId, part, fence] = OBJECT_NAME.exec(name) ?? []
      if (at >= before || !isSessionId(sessionId) || !isFileId(fileId)) continue
      const keys = blobs.get(sessionId) ?? []
      keys.push(fencedKey({ sessionId, fileId, part: Number(part) }, fence))
      blobs.set(sessionId, keys)
    }
    return blobs
  }

  close (): Promise<void> {
    this.#bucket.close()
    return Promise.resolve()
  }
}

import { LocalSendError } from '../errors.js'
import type { BlobWriter } from './blob-store.js'
import { discard } from './discard.js'
import type { Lane, MemoryBudget } from './memory-budget.js'
import type { ObjectDraft, PartedUpload, S3Bucket, StoredPart } from './s3-bucket.js'

/** Parts of one blob that are sent at the same time. */
const PARALLEL = 4
/** Parts of a multipart upload at most, says the API. */
const MAX_PARTS = 10_000
/** Bytes that a part's memory begins with: most blobs are small. */
const FIRST_BYTES = 2 ** 19

interface Options {
  readonly bucket: S3Bucket
  readonly name: string
  /** Whether it takes the place of one that is there. */
  readonly replaces: boolean
  /** Bytes of every part but the last one; storage that wants them equal gets them so. */
  readonly partSize: number
  /** Lends memory in slots of one part. */
  readonly memory: MemoryBudget
  /** Called once, when nobody writes any more. */
  readonly onEnd: () => void
}

/**
 * Writes one object: in one request if it fits into a part, otherwise by a multipart upload, whose parts are sent while the next
 * one fills. What is written is copied, so a write settles as soon as there was room for it.
 */
export class S3Writer implements BlobWriter {
  readonly #use: Options
  readonly #writer = crypto.randomUUID()
  readonly #stop = new AbortController()
  readonly #sending = new Set<Promise<void>>()
  readonly #parts: StoredPart[] = []
  #written = Promise.resolve()
  #part: FillingPart | undefined
  #upload: Promise<PartedUpload> | undefined
  #sent = 0
  #size = 0
  /** Whether there may be an object of ours. */
  #mayBeThere = false
  #ended = false

  constructor (options: Options) {
    this.#use = options
  }

  async write (bytes: Uint8Array): Promise<void> {
    this.#written = this.#written.then(() => this.#append(bytes))
    await this.#written
  }

  async commit (): Promise<void> {
    await this.#written
    if (this.#upload !== undefined) {
      await this.#sendPart()
      await Promise.all(this.#sending)
    }
    const upload = await this.#upload
    this.#mayBeThere = true
    const { signal } = this.#stop
    const ours = upload === undefined
      ? await this.#use.bucket.put(this.#draft, this.#part?.bytes ?? new Uint8Array(), signal)
      : await this.#use.bucket.complete(upload, this.#parts, this.#size, signal)
    this.#mayBeThere = ours
    if (!ours) throw new LocalSendError('FILE_EXISTS')
    this.#upload = undefined
    this.#part?.end()
    this.#part = undefined
    this.#end()
  }

  async abort (): Promise<void> {
    this.#stop.abort(new Error('the blob was given up'))
    await Promise.allSettled([this.#written, ...this.#sending])
    this.#part?.drop()
    this.#part = undefined
    try {
      // Not known where its beginning failed: then there is nothing to end, or nobody knows its id (inventory finds it).
      const upload = await this.#upload?.catch(() => undefined)
      if (upload !== undefined) await this.#use.bucket.abandon(upload)
      if (this.#mayBeThere && !this.#use.replaces) await this.#use.bucket.remove(this.#use.name)
      this.#upload = undefined
      this.#mayBeThere = false
    } finally {
      this.#end()
    }
  }

  get #draft (): ObjectDraft {
    return { name: this.#use.name, writer: this.#writer, replaces: this.#use.replaces }
  }

  async #append (bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      this.#stop.signal.throwIfAborted()
      if (this.#part?.isFull === true) await this.#sendPart()
      this.#part ??= new FillingPart(await this.#use.memory.admit({ signal: this.#stop.signal }), this.#use.partSize)
      rest = rest.subarray(this.#part.append(rest))
    }
    this.#size += bytes.length
  }

  /** Begins to send what has been gathered, as soon as not too many parts are under way. */
  async #sendPart (): Promise<void> {
    const part = this.#part
    if (part === undefined) return
    if (this.#sent === MAX_PARTS) throw new LocalSendError('FILE_TOO_LARGE', { detail: `At once, this server stores at most ${MAX_PARTS * this.#use.partSize} bytes.` })
    while (this.#sending.size >= PARALLEL) await Promise.race(this.#sending)
    this.#part = undefined
    this.#upload ??= this.#use.bucket.begin(this.#draft, this.#stop.signal)
    const sending = this.#send(this.#upload, this.#sent++, part)
    this.#sending.add(sending)
    sending.then(() => { this.#sending.delete(sending) }, (error: unknown) => { this.#stop.abort(error) })
  }

  async #send (upload: Promise<PartedUpload>, index: number, part: FillingPart): Promise<void> {
    try {
      this.#parts[index] = await this.#use.bucket.putPart(await upload, index + 1, part.bytes, this.#stop.signal)
      part.end()
    } catch (error) {
      part.drop()
      throw error
    }
  }

  #end (): void {
    if (this.#ended) return
    this.#ended = true
    this.#use.onEnd()
  }
}

/** The memory of one part while it fills and is sent. */
class FillingPart {
  readonly #lane: Lane
  readonly #capacity: number
  #memory = new Uint8Array()
  #length = 0

  constructor (lane: Lane, capacity: number) {
    this.#lane = lane
    this.#capacity = capacity
  }

  get isFull (): boolean {
    return this.#length === this.#capacity
  }

  get bytes (): Uint8Array {
    return this.#memory.subarray(0, this.#length)
  }

  /** @returns how many bytes of it had room */
  append (bytes: Uint8Array): number {
    const taken = bytes.subarray(0, this.#capacity - this.#length)
    this.#makeRoom(this.#length + taken.length)
    this.#memory.set(taken, this.#length)
    this.#length += taken.length
    return taken.length
  }

  #makeRoom (needed: number): void {
    if (needed <= this.#memory.length) return
    const larger = new Uint8Array(Math.min(this.#capacity, Math.max(needed, FIRST_BYTES, 2 * this.#memory.length)))
    larger.set(this.bytes)
    if (this.#memory.length > 0) discard(this.#memory)
    this.#memory = larger
  }

  /** It has been stored. */
  end (): void {
    discard(this.#memory)
    this.#lane.close()
  }

  /** It could not be stored: the system may be writing it still, so its memory is left to the garbage collector. */
  drop (): void {
    this.#lane.close()
  }
}

import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Readable } from 'node:stream'
import type { CompletedPart, PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3'
import { failure, given, statusOf, unavailable } from './s3-failures.js'

/** Milliseconds that the storage has to take a connection, and to answer a request: each time it is tried. */
const CONNECT_TIMEOUT = 5000
const REQUEST_TIMEOUT = 30_000
/** Tries of one request: after what passes by itself, the SDK waits longer each time. */
const ATTEMPTS = 4
/** Milliseconds in which the storage must say that the bucket is there. */
const CHECK_TIMEOUT = 2000

/** What is an answer, not a failure: there is none, there is one already, the storage does not know how. */
const ANSWERS = [404, 412, 501]

/** An object that is stored at every start, to see whether that is allowed. */
const PROBE = 'write-check'

export interface BucketSettings {
  readonly bucket: string
  /** The storage's address; `undefined` for Amazon's own. */
  readonly endpoint: string | undefined
  readonly region: string
  readonly forcePathStyle: boolean
  /** What the names of all objects begin with: empty, or ends with a slash. */
  readonly prefix: string
  readonly checksums: 'crc32' | 'sha256' | 'none'
  /** Is told of every call that failed in the end. */
  readonly onFailure: () => void
}

/** An object that is to be written by one writer, and by no other. */
export interface ObjectDraft {
  readonly name: string
  /** Random; kept with the object, so that the writer knows his own. */
  readonly writer: string
  /** Whether it takes the place of one that is there. */
  readonly replaces: boolean
}

/** A multipart upload that is under way. */
export interface PartedUpload extends ObjectDraft {
  readonly uploadId: string
}

/** An object, or a multipart upload, as a listing says. */
export interface Listed {
  readonly name: string
  /** Milliseconds since the epoch, by the storage's clock. */
  readonly at: number
}

export interface OpenedObject {
  /** To be read to its end or destroyed. */
  readonly body: Readable
  /** Bytes of the whole object. */
  readonly size: number
  readonly etag: string
}

/** What a part is known by when they are put together. */
export type StoredPart = CompletedPart

type Sdk = typeof import('@aws-sdk/client-s3')

/**
 * One bucket of S3-compatible object storage (Amazon S3 API, 2006-03-01): the few calls that the store makes, each of them
 * bounded in time and repeated a few times. Names are without the prefix. The only place that knows the SDK, which is loaded
 * only where it is used. What it throws never leaves: it carries signed requests.
 */
export class S3Bucket {
  readonly #sdk: Sdk
  readonly #client: S3Client
  readonly #settings: BucketSettings
  readonly #checksum: Pick<PutObjectCommandInput, 'ChecksumAlgorithm'>
  /** Whether the storage can store an object only where there is none: some of Amazon's likenesses cannot. */
  #conditional = true

  private constructor (sdk: Sdk, settings: BucketSettings) {
    const { endpoint, region, forcePathStyle, checksums } = settings
    this.#sdk = sdk
    this.#settings = settings
    this.#checksum = checksums === 'none' ? {} : { ChecksumAlgorithm: checksums === 'crc32' ? 'CRC32' : 'SHA256' }
    this.#client = new sdk.S3Client({
      region,
      forcePathStyle,
      ...(endpoint !== undefined && { endpoint }),
      maxAttempts: ATTEMPTS,
      // Checksums are asked for where they are wanted; by default the SDK would send some of its own, in a form that few know.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      expectContinueHeader: false,
      requestHandler: {
        connectionTimeout: CONNECT_TIMEOUT,
        requestTimeout: REQUEST_TIMEOUT,
        throwOnRequestTimeout: true,
        // A download that its receiver is slow to read keeps its connection.
        socketTimeout: 0,
        httpAgent: new HttpAgent({ keepAlive: true }),
        httpsAgent: new HttpsAgent({ keepAlive: true })
      }
    })
  }

  /**
   * Opens a bucket and looks whether it can be used.
   * @throws LocalSendError STORAGE_UNAVAILABLE, whose cause says why
   */
  static async open (settings: BucketSettings): Promise<S3Bucket> {
    const bucket = new S3Bucket(await import('@aws-sdk/client-s3'), settings)
    try {
      await bucket.#probe()
      return bucket
    } catch (error) {
      bucket.close()
      throw error
    }
  }

  async #probe (): Promise<void> {
    // Credentials are looked for now, which may take a while.
    await this.check(REQUEST_TIMEOUT)
    const probe = { name: PROBE, writer: crypto.randomUUID() }
    const { signal } = new AbortController()
    await this.put({ ...probe, replaces: true }, new Uint8Array(), signal)
    try {
      await this.put({ ...probe, replaces: false }, new Uint8Array(), signal)
    } catch (error) {
      if (statusOf(error) !== 501) throw error
      this.#conditional = false
    }
  }

  /**
   * Whether the bucket is there and answers.
   * @param timeout - milliseconds
   * @throws LocalSendError STORAGE_UNAVAILABLE
   */
  async check (timeout = CHECK_TIMEOUT): Promise<void> {
    await this.#call('HeadBucket', () => this.#client.send(new this.#sdk.HeadBucketCommand({ Bucket: this.#settings.bucket }), { abortSignal: AbortSignal.timeout(timeout) }))
  }

  /**
   * Stores an object in one request.
   * @returns `false` if there is one of this name that another writer has stored; it stays as it is
   */
  async put (draft: ObjectDraft, bytes: Uint8Array, signal: AbortSignal): Promise<boolean> {
    const { name, writer } = draft
    return await this.#whereNone(draft, bytes.length, (condition) => this.#call('PutObject', (abortSignal) => this.#client.send(new this.#sdk.PutObjectCommand({
      ...this.#at(name), ...this.#checksum, ...condition, Metadata: { writer }, Body: bytes, ContentLength: bytes.length
    }), { abortSignal }), signal))
  }

  /** Begins a multipart upload. */
  async begin (draft: ObjectDraft, signal: AbortSignal): Promise<PartedUpload> {
    const { UploadId } = await this.#call('CreateMultipartUpload', (abortSignal) => this.#client.send(new this.#sdk.CreateMultipartUploadCommand({
      ...this.#at(draft.name), ...this.#checksum, Metadata: { writer: draft.writer }
    }), { abortSignal }), signal)
    return { ...draft, uploadId: given(UploadId) }
  }

  async putPart ({ name, uploadId }: PartedUpload, number: number, bytes: Uint8Array, signal: AbortSignal): Promise<CompletedPart> {
    const { ETag, ChecksumCRC32, ChecksumSHA256 } = await this.#call('UploadPart', (abortSignal) => this.#client.send(new this.#sdk.UploadPartCommand({
      ...this.#at(name), ...this.#checksum, UploadId: uploadId, PartNumber: number, Body: bytes, ContentLength: bytes.length
    }), { abortSignal }), signal)
    return { PartNumber: number, ETag: given(ETag), ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }), ...(ChecksumSHA256 !== undefined && { ChecksumSHA256 }) }
  }

  /**
   * Makes the parts of an upload an object, and looks whether all of it is there.
   * @returns `false` if there is one of this name that another writer has stored; it stays as it is
   */
  async complete (upload: PartedUpload, parts: readonly CompletedPart[], size: number, signal: AbortSignal): Promise<boolean> {
    const { name, uploadId } = upload
    const stored = await this.#whereNone(upload, size, (condition) => this.#call('CompleteMultipartUpload', (abortSignal) => this.#client.send(new this.#sdk.CompleteMultipartUploadCommand({
      ...this.#at(name), ...condition, UploadId: uploadId, MultipartUpload: { Parts: [...parts] }
    }), { abortSignal }), signal))
    if (stored && !await this.#isOf(upload, size)) throw unavailable(new Error('CompleteMultipartUpload: the object is not what its parts were'))
    return stored
  }

  /** Ends a multipart upload and removes its parts; one that is not there is no error. */
  async abandon ({ name, uploadId }: Pick<PartedUpload, 'name' | 'uploadId'>): Promise<void> {
    await this.#absentToo(this.#call('AbortMultipartUpload', (abortSignal) => this.#client.send(new this.#sdk.AbortMultipartUploadCommand({ ...this.#at(name), UploadId: uploadId }), { abortSignal })))
  }

  async has (name: string): Promise<boolean> {
    return await this.#head(name) !== undefined
  }

  /**
   * Begins to read an object.
   * @param etag - of the object that is meant
   * @returns `undefined` if there is none, or not that one any more
   */
  async get (name: string, from = 0, etag?: string): Promise<OpenedObject | undefined> {
    const found = await this.#absentToo(this.#call('GetObject', (abortSignal) => this.#client.send(new this.#sdk.GetObjectCommand({
      ...this.#at(name), ...(from > 0 && { Range: `bytes=${from}-` }), ...(etag !== undefined && { IfMatch: etag })
    }), { abortSignal })))
    // In Node, and only there, it is what node:http gives.
    return found && { body: given(found.Body) as Readable, size: from + (found.ContentLength ?? 0), etag: given(found.ETag) }
  }

  /** Removes an object; one that is not there is no error. */
  async remove (name: string): Promise<void> {
    await this.#absentToo(this.#call('DeleteObject', (abortSignal) => this.#client.send(new this.#sdk.DeleteObjectCommand(this.#at(name)), { abortSignal })))
  }

  /** All objects, a page at a time. */
  async * objects (): AsyncGenerator<Listed> {
    let next: string | undefined
    do {
      const page = await this.#call('ListObjectsV2', (abortSignal) => this.#client.send(new this.#sdk.ListObjectsV2Command({
        Bucket: this.#settings.bucket, Prefix: this.#settings.prefix, ...(next !== undefined && { ContinuationToken: next })
      }), { abortSignal }))
      for (const { Key, LastModified } of page.Contents ?? []) yield { name: this.#nameOf(given(Key)), at: given(LastModified).getTime() }
      next = page.NextContinuationToken
    } while (next !== undefined)
  }

  /** All multipart uploads that are under way, or were given up by nobody. */
  async * uploads (): AsyncGenerator<Listed & Pick<PartedUpload, 'uploadId'>> {
    let next: { KeyMarker: string, UploadIdMarker: string } | undefined
    do {
      const page = await this.#call('ListMultipartUploads', (abortSignal) => this.#client.send(new this.#sdk.ListMultipartUploadsCommand({
        Bucket: this.#settings.bucket, Prefix: this.#settings.prefix, ...next
      }), { abortSignal }))
      for (const { Key, UploadId, Initiated } of page.Uploads ?? []) yield { name: this.#nameOf(given(Key)), uploadId: given(UploadId), at: given(Initiated).getTime() }
      next = page.IsTruncated === true ? { KeyMarker: given(page.NextKeyMarker), UploadIdMarker: given(page.NextUploadIdMarker) } : undefined
    } while (next !== undefined)
  }

  close (): void {
    this.#client.destroy()
  }

  #at (name: string): { Bucket: string, Key: string } {
    return { Bucket: this.#settings.bucket, Key: this.#settings.prefix + name }
  }

  #nameOf (key: string): string {
    return key.slice(this.#settings.prefix.length)
  }

  /** Stores where there is nothing yet. What was stored by a try whose answer got lost is found again by its writer. */
  async #whereNone (draft: ObjectDraft, size: number, store: (condition: { IfNoneMatch?: string }) => Promise<unknown>): Promise<boolean> {
    if (!draft.replaces && !this.#conditional && await this.has(draft.name)) return false
    try {
      await store(!draft.replaces && this.#conditional ? { IfNoneMatch: '*' } : {})
      return true
    } catch (error) {
      if (statusOf(error) === 412) return await this.#isOf(draft, size)
      if (statusOf(error) === 404 && await this.#isOf(draft, size)) return true
      throw error
    }
  }

  async #isOf ({ name, writer }: ObjectDraft, size: number): Promise<boolean> {
    const found = await this.#head(name)
    return found?.ContentLength === size && found.Metadata?.['writer'] === writer
  }

  async #head (name: string) {
    return await this.#absentToo(this.#call('HeadObject', (abortSignal) => this.#client.send(new this.#sdk.HeadObjectCommand(this.#at(name)), { abortSignal })))
  }

  async #absentToo <Result> (call: Promise<Result>): Promise<Result | undefined> {
    try {
      return await call
    } catch (error) {
      if ([404, 412].includes(statusOf(error) ?? 0)) return undefined
      throw error
    }
  }

  async #call <Result> (name: string, send: (signal: AbortSignal) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    // The SDK never takes a listener away from a signal that outlives the request.
    const controller = new AbortController()
    const abort = (): void => { controller.abort() }
    signal?.addEventListener('abort', abort, { once: true })
    try {
      signal?.throwIfAborted()
      return await send(controller.signal)
    } catch (error) {
      const failed = failure(name, error)
      if (signal?.aborted !== true && !ANSWERS.includes(statusOf(failed) ?? 0)) this.#settings.onFailure()
      throw failed
    } finally {
      signal?.removeEventListener('abort', abort)
    }
  }
}

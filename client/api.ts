/**
 * The calls of the protocol (local-send/1, section 4), one method each. Invariant: what a method gives has been checked, and
 * belongs to what was asked for: an answer about another session, attempt or file is a BAD_ANSWER.
 */

import { toBase64url, toHex, type Bytes } from '../lib/crypto/bytes.js'
import { isFileId, type FileId, type JoinId, type SessionId } from '../lib/ids.js'
import { attemptOf, createdOf, Fields, fileOf, pendingOf, statusOf, type Attempt, type Created, type ListedFile, type Pending, type SessionStatus } from './answers.js'
import { ClientError } from './errors.js'
import { badHeader, base64, lengthOf, wholeHeader } from './headers.js'
import { discard, piecesOf, readJson, send, type Answer, type Call, type Connection, type Options } from './http.js'
import type { MultipartBody } from './multipart.js'

/** What create is asked for; a password in managed sessions only. */
export interface CreateRequest {
  readonly kind: 'end-to-end' | 'managed'
  readonly password?: string | undefined
  readonly maxJoiners?: number | undefined
  /** Seconds. */
  readonly expiresIn?: number | undefined
  readonly maxDownloads?: number | undefined
}

/** A page of a session's files. */
export interface FilePage {
  readonly files: readonly ListedFile[]
  /** Where the next page begins; `null` on the last one. */
  readonly nextCursor: string | null
}

/** Where an upload stands, in bytes of what is uploaded: in end-to-end sessions of the container. */
export interface UploadState {
  readonly offset: number
  /** `null` while it has not been said. */
  readonly length: number | null
}

/** What is downloaded. */
export interface Download {
  /** Offset of the first byte that comes. */
  readonly start: number
  /** Bytes of the whole; `null` while nobody knows. */
  readonly size: number | null
  readonly etag: string | null
  /** As it comes. Whoever stops early ends the transfer. @throws ClientError NETWORK where it breaks */
  readonly content: AsyncIterable<Uint8Array>
}

/** Which bytes of a file; all of it by default. */
export interface DownloadOptions extends Options {
  /** Offset of the first byte. */
  readonly from?: number
  /** Offset behind the last byte. */
  readonly to?: number
  /** The etag that the range belongs to: if the file has another one, all of it comes. */
  readonly ifRange?: string | undefined
}

/** Bytes of the longest answers: a page of a thousand files with sealed metadata takes 6 MiB. */
const MAX_LIST = 2 ** 24
const MAX_ANSWER = 2 ** 20
/** Files of one page, and of one request. */
const MAX_FILES = 1000
/** Attempts that a list holds at most: pending ones are few, and the server remembers some that have ended. */
const MAX_ATTEMPTS = 1000
const TUS = { 'tus-resumable': '1.0.0' }

/** The calls to one server, and after {@link Api.of} those of one session. Every method takes a signal and throws {@link ClientError}. */
export class Api {
  readonly #connection: Connection
  readonly #session: SessionId | undefined
  readonly #token: string | undefined

  constructor (connection: Connection, session?: SessionId, token?: string) {
    this.#connection = connection
    this.#session = session
    this.#token = token
  }

  // Sessions

  /** Creates a session. A limit that is not given is the server's. */
  async create ({ kind, password, maxJoiners, expiresIn, maxDownloads }: CreateRequest, options: Options = {}): Promise<Created> {
    const json = { kind, password, max_joiners: maxJoiners, expires_in: expiresIn, max_downloads: maxDownloads }
    return createdOf(await this.#json('create', { method: 'POST', path: '/create', json, expects: [201], signal: options.signal }))
  }

  /** The state of the session. */
  async status (options: Options = {}): Promise<SessionStatus> {
    const status = statusOf(await this.#json('status', { method: 'GET', path: this.#path('/status'), expects: [200], repeatable: true, signal: options.signal }))
    if (status.sessionId !== this.#session) throw new ClientError('BAD_ANSWER', { detail: 'It is about another session.' })
    return status
  }

  /** Forgives wrong verification codes. @returns a new one */
  async unlock (options: Options = {}): Promise<string> {
    const fields = await this.#json('unlock', { method: 'POST', path: this.#path('/unlock'), expects: [200], signal: options.signal })
    return fields.text('verification_code', /^\d{6}$/)
  }

  /** Gives the token up. */
  leave (options: Options = {}): Promise<void> {
    return this.#done({ method: 'POST', path: this.#path('/leave'), expects: [204], repeatable: true, signal: options.signal })
  }

  /** Ends the session for all. */
  async close (options: Options = {}): Promise<void> {
    const fields = await this.#json('close', { method: 'POST', path: this.#path('/close'), expects: [200], repeatable: true, signal: options.signal })
    fields.oneOf('status', 'closed')
  }

  // Joining; none of these is ever repeated by itself, except the look at an attempt

  /** Begins an attempt with the joiner's share, 65 bytes. */
  async join (verificationCode: string, share: Bytes, options: Options = {}): Promise<Pending> {
    const json = { verification_code: verificationCode, public_key: toHex(share) }
    return pendingOf(await this.#json('join', { method: 'POST', path: this.#path('/join'), json, expects: [202], signal: options.signal }))
  }

  /**
   * Sends cA, 32 bytes, which ends the attempt.
   * @returns cB in a managed session; `undefined` in an end-to-end one, where the creator is yet to decide
   */
  async confirm (joinId: JoinId, confirmation: Bytes, options: Options = {}): Promise<Bytes | undefined> {
    const path = this.#path(`/joins/${joinId}/confirm`)
    const response = await this.#send({ method: 'POST', path, json: { confirmation: toHex(confirmation) }, expects: [200, 202], signal: options.signal })
    const fields = new Fields(await readJson(response, MAX_ANSWER, options.signal), 'confirm')
    if (response.status === 202) return undefined
    fields.oneOf('status', 'joined')
    return fields.hex('confirmation', 64)
  }

  /** The attempts to join, for the creator. */
  async attempts (options: Options = {}): Promise<readonly Attempt[]> {
    const fields = await this.#json('joins', { method: 'GET', path: this.#path('/joins'), expects: [200], repeatable: true, signal: options.signal })
    return fields.list('joins', MAX_ATTEMPTS, attemptOf)
  }

  /**
   * One attempt. With `after`, the server answers when its status is another one, at the latest after `wait` seconds.
   */
  async attempt (joinId: JoinId, { wait, after, ...options }: Options & { readonly wait?: number, readonly after?: string } = {}): Promise<Attempt> {
    const query = after === undefined ? '' : `?wait=${wait ?? 0}&after=${after}`
    const path = this.#path(`/joins/${joinId}${query}`)
    const attempt = attemptOf(await this.#json('join', { method: 'GET', path, expects: [200], repeatable: true, signal: options.signal }))
    if (attempt.joinId !== joinId) throw new ClientError('BAD_ANSWER', { detail: 'It is about another attempt.' })
    return attempt
  }

  /** Answers an attempt with the creator's share, 65 bytes. */
  respond (joinId: JoinId, share: Bytes, options: Options = {}): Promise<void> {
    return this.#done({ method: 'POST', path: this.#path(`/joins/${joinId}/respond`), json: { public_key: toHex(share) }, expects: [200], signal: options.signal })
  }

  /** Admits a joiner: cB, 32 bytes, and the wrapped content key, 60 bytes. */
  accept (joinId: JoinId, confirmation: Bytes, wrappedKey: Bytes, options: Options = {}): Promise<void> {
    const json = { confirmation: toHex(confirmation), wrapped_key: toBase64url(wrappedKey) }
    return this.#done({ method: 'POST', path: this.#path(`/joins/${joinId}/accept`), json, expects: [200], signal: options.signal })
  }

  /** Refuses a joiner; the attempt counts as a failed one. */
  reject (joinId: JoinId, options: Options = {}): Promise<void> {
    return this.#done({ method: 'POST', path: this.#path(`/joins/${joinId}/reject`), expects: [200], signal: options.signal })
  }

  // Files

  /** A page of the session's files, of at most 1000. */
  async files ({ limit = MAX_FILES, cursor, ...options }: Options & { readonly limit?: number, readonly cursor?: string | undefined } = {}): Promise<FilePage> {
    const path = this.#path(`/files?limit=${limit}${cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`}`)
    const fields = await this.#json('files', { method: 'GET', path, expects: [200], repeatable: true, signal: options.signal }, MAX_LIST)
    return {
      files: fields.list('files', limit, fileOf),
      nextCursor: fields.isNull('next_cursor') ? null : fields.text('next_cursor', /^[\x21-\x7e]{1,100}$/)
    }
  }

  /** Uploads whole files in one request; all are stored, or none. */
  async upload (form: MultipartBody, options: Options = {}): Promise<readonly ListedFile[]> {
    const call = { method: 'POST', path: this.#path('/upload'), headers: { 'content-type': form.type }, body: form.bytes(), expects: [201], signal: options.signal } as const
    const fields = await this.#json('upload', call, MAX_LIST)
    return fields.list('files', MAX_FILES, fileOf)
  }

  /**
   * Begins a resumable upload (https://tus.io/protocols/resumable-upload).
   *
   * @param length - bytes; `null` if they will be said with a piece
   * @param metadata - Upload-Metadata; the server must take a `file_id` that it holds
   */
  async beginUpload (length: number | null, metadata: Readonly<Record<string, string>>, options: Options = {}): Promise<FileId> {
    const pairs = Object.entries(metadata).map(([key, value]) => `${key} ${base64(value)}`).join()
    const headers = { ...TUS, ...(length === null ? { 'upload-defer-length': '1' } : { 'upload-length': String(length) }), 'upload-metadata': pairs }
    const response = await this.#send({ method: 'POST', path: this.#path('/uploads'), headers, expects: [201], signal: options.signal })
    await discard(response)
    const id = response.headers.get('location')?.split('/').at(-1)
    if (!isFileId(id) || (metadata['file_id'] !== undefined && metadata['file_id'] !== id)) throw badHeader('Location')
    return id
  }

  /** Where an upload stands. @throws ClientError FILE_NOT_FOUND if there is none */
  async uploadState (fileId: FileId, options: Options = {}): Promise<UploadState> {
    const response = await this.#upload(fileId, { method: 'HEAD', path: this.#path(`/uploads/${fileId}`), headers: TUS, expects: [200, 204], repeatable: true, signal: options.signal })
    const deferred = response.headers.get('upload-defer-length') === '1'
    return { offset: wholeHeader(response, 'Upload-Offset'), length: deferred ? null : wholeHeader(response, 'Upload-Length') }
  }

  /**
   * Sends the piece of an upload that begins at `offset`.
   *
   * @param length - of the whole, if it has not been said before
   * @returns the offset behind it
   */
  async sendPiece (fileId: FileId, offset: number, piece: Bytes, { length, ...options }: Options & { readonly length?: number | undefined } = {}): Promise<number> {
    const headers = {
      ...TUS,
      'content-type': 'application/offset+octet-stream',
      'upload-offset': String(offset),
      ...(length !== undefined && { 'upload-length': String(length) })
    }
    const response = await this.#upload(fileId, { method: 'PATCH', path: this.#path(`/uploads/${fileId}`), headers, body: piece, expects: [204], signal: options.signal })
    return wholeHeader(response, 'Upload-Offset')
  }

  /** Gives an upload up; what came of it is removed. */
  async abandonUpload (fileId: FileId, options: Options = {}): Promise<void> {
    await this.#upload(fileId, { method: 'DELETE', path: this.#path(`/uploads/${fileId}`), headers: TUS, expects: [204], repeatable: true, signal: options.signal })
  }

  /** A file, or a range of it. */
  async download (fileId: FileId, { from = 0, to, ifRange, ...options }: DownloadOptions = {}): Promise<Download> {
    const whole = from === 0 && to === undefined
    const headers = {
      ...(!whole && { range: `bytes=${from}-${to === undefined ? '' : to - 1}` }),
      ...(!whole && ifRange !== undefined && { 'if-range': ifRange })
    }
    const response = await this.#send({ method: 'GET', path: this.#path(`/download/${fileId}`), headers, expects: whole ? [200] : [200, 206], repeatable: true, signal: options.signal })
    const etag = response.headers.get('etag')
    const content = piecesOf(response, options.signal)
    if (response.status === 200) return { start: 0, size: lengthOf(response), etag, content }
    const [, start, size] = /^bytes (\d{1,15})-\d{1,15}\/(\d{1,15}|\*)$/.exec(response.headers.get('content-range') ?? '') ?? []
    if (Number(start) === from) return { start: from, size: size === '*' ? null : Number(size), etag, content }
    await discard(response)
    throw badHeader('Content-Range')
  }

  /** Several files that are whole, the bytes of one behind those of the other, in the order asked for. */
  async downloadMany (fileIds: readonly FileId[], options: Options = {}): Promise<Download> {
    const response = await this.#send({ method: 'POST', path: this.#path('/download'), json: { file_ids: fileIds }, expects: [200], repeatable: true, signal: options.signal })
    return { start: 0, size: lengthOf(response), etag: null, content: piecesOf(response, options.signal) }
  }

  /** Tells the others that these files have been received and verified. */
  received (fileIds: readonly FileId[], options: Options = {}): Promise<void> {
    return this.#done({ method: 'POST', path: this.#path('/received'), json: { file_ids: fileIds }, expects: [204], repeatable: true, signal: options.signal })
  }

  /** Deletes a file. */
  deleteFile (fileId: FileId, options: Options = {}): Promise<void> {
    return this.#done({ method: 'DELETE', path: this.#path(`/files/${fileId}`), expects: [204], repeatable: true, signal: options.signal })
  }

  /** The stream of events, as text/event-stream, behind the one of this id. */
  async events (lastEventId: string | undefined, options: Options = {}): Promise<AsyncIterable<Uint8Array>> {
    const headers = { accept: 'text/event-stream', ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) }
    const response = await this.#send({ method: 'GET', path: this.#path('/events'), headers, expects: [200], signal: options.signal })
    if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) return piecesOf(response, options.signal)
    await discard(response)
    throw badHeader('Content-Type')
  }

  #path (rest: string): string {
    if (this.#session === undefined) throw new TypeError('This Api was made without a session.')
    return `/${this.#session}${rest}`
  }

  #send (call: Call): Promise<Answer> {
    return send(this.#connection, { token: this.#token, ...call })
  }

  async #json (where: string, call: Call, max = MAX_ANSWER): Promise<Fields> {
    return new Fields(await readJson(await this.#send(call), max, call.signal), where)
  }

  async #done (call: Call): Promise<void> {
    await discard(await this.#send(call))
  }

  /** A call about an upload; an answer to HEAD has no body that could say why there is none. */
  async #upload (fileId: FileId, call: Call): Promise<Answer> {
    try {
      const response = await this.#send(call)
      await discard(response)
      return response
    } catch (error) {
      if (error instanceof ClientError && (error.status === 404 || error.status === 410)) throw new ClientError('FILE_NOT_FOUND', { status: error.status, cause: error, detail: `Its id is ${fileId}.` })
      throw error
    }
  }
}

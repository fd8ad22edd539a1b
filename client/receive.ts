/**
 * Receiving: the verified content of files (protocol local-send/1, section 5).
 *
 * Invariant: nothing comes out of here that was not opened under the session's key, at its place, from the writer that the
 * description is from; and the end of a file only when its last chunk was opened as the last one and the size is the one that
 * was said. Until then a reader has a beginning, which must not stand under its final name.
 */

import { concat, equalBytes, type Bytes } from '../lib/crypto/bytes.js'
import { cutChunks } from '../lib/crypto/chunks.js'
import { HEADER_SIZE, openContainer, TAG_SIZE, type Opener } from '../lib/crypto/container.js'
import { inFlight, takeHead } from '../lib/crypto/streams.js'
import type { FileId } from '../lib/ids.js'
import { isLocalSendError } from '../lib/errors.js'
import type { DirectReceiving } from './direct-receiving.js'
import { downloadBytes, type DownloadRequest } from './download.js'
import { ClientError, isClientError } from './errors.js'
import type { Connection, Options } from './http.js'
import type { OfferedFile } from './offers.js'
import { receivePlain, type Digest, type ReceiveStart } from './receive-plain.js'
import { patiently, PATIENT, Retries, type RetryPolicy } from './retry.js'
import { apiOf, type Member } from './session.js'

export type { Digest, ReceiveStart } from './receive-plain.js'

/** What {@link receiveFile} takes. */
export interface ReceiveOptions extends Options {
  /** Bytes of plaintext that an earlier process has received and verified; 0 by default. It goes on at a whole chunk of them. */
  readonly from?: number | undefined
  /** The header that the earlier process was given. If the file has another one by now, nothing is received. */
  readonly header?: Bytes | undefined
  /** Awaited before the first byte comes. */
  readonly onStart?: ((start: ReceiveStart) => Promise<void> | void) | undefined
  /** Managed sessions only: a SHA-256 that has been given the first `from` bytes. WebCrypto has none that takes a stream, so without it only the length is checked. */
  readonly digest?: Digest | undefined
  /** Takes a file that is being sent from its sender's own machine, where that can be reached. */
  readonly direct?: DirectReceiving | undefined
  readonly retry?: RetryPolicy | undefined
}

/**
 * The plaintext of a file, in verified pieces that are the reader's own; of one that is still being uploaded as it comes. Broken connections are gone
 * through. Nothing comes of an empty file, but `onStart` is called.
 *
 * @throws ClientError FILE_DAMAGED if anything is not what its sender has sent; NETWORK when nothing has come for too long;
 *   FILE_NOT_FOUND, DOWNLOADS_USED_UP, UPLOAD_STALLED (its sender has stopped)…; the signal's reason
 */
export async function * receiveFile (connection: Connection, member: Member, file: OfferedFile, options: ReceiveOptions = {}): AsyncGenerator<Uint8Array, void, undefined> {
  const { retry = PATIENT, signal = new AbortController().signal } = options
  const { direct } = options
  const fromSender = direct && ((from: number) => direct.download(file, from, signal))
  const request = { api: apiOf(connection, member), fileId: file.fileId, direct: fromSender, retries: new Retries(retry, signal), signal }
  const { contentKey } = member
  if (contentKey === undefined) yield * receivePlain(request, file, options)
  else yield * receiveSealed(request, file, contentKey, options)
}

/** What is known of a download before it is clear where it begins. */
type Request = Omit<DownloadRequest, 'from' | 'to'>

/** How far a file has been opened. */
interface Place {
  opener?: Opener
  /** The next chunk. */
  next: number
}

async function * receiveSealed (request: Request, file: OfferedFile, contentKey: Bytes, options: ReceiveOptions): AsyncGenerator<Bytes, void, undefined> {
  try {
    yield * receiveEitherWay(request, file, contentKey, options)
  } catch (error) {
    throw isLocalSendError(error, 'CONTAINER_DAMAGED') ? damaged(undefined, error) : error
  }
}

/** What does not open may not have come from the sender, who is not known past the server: then it is the server's turn. */
async function * receiveEitherWay (request: Request, file: OfferedFile, contentKey: Bytes, options: ReceiveOptions): AsyncGenerator<Bytes, void, undefined> {
  const place: Place = { next: 0 }
  try {
    yield * openFile(request, file, contentKey, options, place)
    return
  } catch (error) {
    if (request.direct === undefined || !(isLocalSendError(error, 'CONTAINER_DAMAGED') || isClientError(error, 'FILE_DAMAGED'))) throw error
  }
  const fromServer = { ...request, direct: undefined }
  if (place.opener === undefined) yield * openFile(fromServer, file, contentKey, options, place)
  else yield * openChunks(place.opener, place, file.size, downloadBytes({ ...fromServer, from: offsetOf(place.opener, place.next) }))
}

async function * openFile (request: Request, file: OfferedFile, contentKey: Bytes, { from = 0, header: known, onStart }: ReceiveOptions, place: Place): AsyncGenerator<Bytes, void, undefined> {
  const { fileId, writer: writers, size } = file
  const whole = from === 0 ? downloadBytes({ ...request, from: 0 }) : undefined
  try {
    const { head: header, rest } = whole === undefined ? await headOf(request, known) : await takeHead(whole, HEADER_SIZE)
    if (known !== undefined && !equalBytes(header, known)) throw damaged('It is another one than before.')
    const opener = await openContainer(header, { contentKey, fileId, writers })
    place.next = firstChunk(from, size, opener.chunkSize)
    await onStart?.({ at: place.next * opener.chunkSize, header })
    place.opener = opener
    yield * openChunks(opener, place, size, rest ?? downloadBytes({ ...request, from: offsetOf(opener, place.next) }))
  } finally {
    await whole?.return()
  }
}

/** A header without what follows it: from the reader, who has kept it, or from the server. */
async function headOf (request: Request, known: Bytes | undefined): Promise<{ readonly head: Bytes, readonly rest: undefined }> {
  if (known !== undefined) return { head: known, rest: undefined }
  const pieces: Uint8Array[] = []
  for await (const piece of downloadBytes({ ...request, from: 0, to: HEADER_SIZE })) pieces.push(piece)
  return { head: concat(...pieces), rest: undefined }
}

/** The chunk to go on with: the last one that is held comes again, whole or not, so that there is always one to verify. */
const firstChunk = (from: number, size: number | null, chunkSize: number): number =>
  Math.max(0, Math.ceil(Math.min(from, size ?? from) / chunkSize) - 1)

const offsetOf = ({ chunkSize }: Opener, chunk: number): number => HEADER_SIZE + chunk * (chunkSize + TAG_SIZE)

/** @param place - where it begins; moved on with every chunk that has been opened */
async function * openChunks (opener: Opener, place: Place, size: number | null, ciphertext: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes, void, undefined> {
  const first = place.next
  let received = first * opener.chunkSize
  const opened = inFlight(cutChunks(ciphertext, opener.chunkSize + TAG_SIZE), async ({ index, last, bytes }) => ({ last, plaintext: await opener.open(first + index, last, bytes) }))
  for await (const { last, plaintext } of opened) {
    received += plaintext.length
    if (size !== null && (last ? received !== size : received >= size)) throw damaged('It has another size than its sender said.')
    place.next += 1
    if (plaintext.length > 0) yield plaintext
  }
}

const damaged = (detail: string | undefined, cause?: unknown): ClientError => new ClientError('FILE_DAMAGED', { detail, cause })

/** Files that one request can be about. */
const MAX_IDS = 1000

/** Tells the others, and above all the sender, that these files have been received and verified. */
export async function confirmReceived (connection: Connection, member: Member, fileIds: readonly FileId[], { signal }: Options = {}): Promise<void> {
  const api = apiOf(connection, member)
  for (let at = 0; at < fileIds.length; at += MAX_IDS) await patiently(() => api.received(fileIds.slice(at, at + MAX_IDS), { signal }), signal)
}

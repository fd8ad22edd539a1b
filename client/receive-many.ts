/** Receiving many small files: hundreds in one request, each verified before it comes. */

import { concat, toHex, type Bytes } from '../lib/crypto/bytes.js'
import { containerSize, HEADER_SIZE, openContainer, TAG_SIZE } from '../lib/crypto/container.js'
import { inFlight } from '../lib/crypto/streams.js'
import { isLocalSendError } from '../lib/errors.js'
import { ahead } from './ahead.js'
import type { Api } from './api.js'
import { ClientError, isClientError } from './errors.js'
import type { Connection, Options } from './http.js'
import type { OfferedFile } from './offers.js'
import { PATIENT, Retries, type RetryPolicy } from './retry.js'
import { apiOf, type Member } from './session.js'

/** Files of one request, and bytes of them. */
const BATCH_FILES = 500
const BATCH_SIZE = 2 ** 24
/** Bytes at the server of the largest file that is received with others: 256 KiB and what sealing adds. */
const SMALL = containerSize(2 ** 18)

/** A file with all of its verified content. */
export interface ReceivedFile {
  readonly file: OfferedFile
  readonly content: Bytes
}

/** A file that could not be received, while others could. */
export interface FailedFile {
  readonly file: OfferedFile
  readonly error: ClientError
}

/** What {@link receiveMany} takes. */
export interface ReceiveManyOptions extends Options {
  readonly retry?: RetryPolicy | undefined
}

/** Whether a file can be received together with others: it is small, and all of it is there. */
export const isSmallOffer = ({ state, stored }: OfferedFile): boolean => state === 'ready' && stored !== null && stored <= SMALL

/**
 * The content of small files, in their order; while some are in use the next ones come. Broken connections are gone through.
 *
 * @param files - such as {@link isSmallOffer} says
 * @throws ClientError for what concerns all of them; FILE_DAMAGED, FILE_NOT_FOUND and DOWNLOADS_USED_UP are told for each
 */
export async function * receiveMany (connection: Connection, member: Member, files: AsyncIterable<OfferedFile> | Iterable<OfferedFile>, { retry = PATIENT, signal = new AbortController().signal }: ReceiveManyOptions = {}): AsyncGenerator<ReceivedFile | FailedFile, void, undefined> {
  const api = apiOf(connection, member)
  async function * received (signal: AbortSignal): AsyncGenerator<ReadonlyArray<ReceivedFile | FailedFile>, void, undefined> {
    for await (const batch of batchesOf(files)) yield await receiveBatch({ api, member, signal, retries: new Retries(retry, signal) }, batch)
  }
  for await (const batch of ahead(received, signal)) yield * batch
}

async function * batchesOf (files: AsyncIterable<OfferedFile> | Iterable<OfferedFile>): AsyncGenerator<readonly OfferedFile[], void, undefined> {
  let batch: OfferedFile[] = []
  let size = 0
  for await (const file of files) {
    const stored = sizeOf(file)
    if (batch.length === BATCH_FILES || (size + stored > BATCH_SIZE && batch.length > 0)) {
      yield batch
      batch = []
      size = 0
    }
    batch.push(file)
    size += stored
  }
  if (batch.length > 0) yield batch
}

/** @throws RangeError for a file of which the size is not known yet */
function sizeOf ({ stored, state }: OfferedFile): number {
  if (stored === null || state !== 'ready') throw new RangeError('Only files that are whole are received together.')
  return stored
}

interface Receiver {
  readonly api: Api
  readonly member: Member
  readonly retries: Retries
  readonly signal: AbortSignal
}

/** What one file fails with, and with it the request. */
const isOfOneFile = (error: unknown): error is ClientError => isClientError(error, 'FILE_NOT_FOUND', 'DOWNLOADS_USED_UP', 'CONTAINER_DAMAGED')

async function receiveBatch (receiver: Receiver, batch: readonly OfferedFile[]): Promise<ReadonlyArray<ReceivedFile | FailedFile>> {
  const received: Array<ReceivedFile | FailedFile> = []
  while (received.length < batch.length) {
    const missing = batch.slice(received.length)
    try {
      for await (const one of inFlight(contentsOf(receiver, missing), ({ file, bytes }) => openOrFail(receiver.member, file, bytes))) {
        received.push(one)
        receiver.retries.progress()
      }
    } catch (error) {
      if (isOfOneFile(error)) return [...received, ...await divide(receiver, missing, error)]
      await receiver.retries.after(error)
    }
  }
  return received
}

/** The failure of one file is that of its request: the others come without it. */
async function divide (receiver: Receiver, batch: readonly OfferedFile[], error: ClientError): Promise<ReadonlyArray<ReceivedFile | FailedFile>> {
  const [first] = batch
  if (batch.length === 1 && first !== undefined) return [{ file: first, error }]
  const half = Math.ceil(batch.length / 2)
  return [...await receiveBatch(receiver, batch.slice(0, half)), ...await receiveBatch(receiver, batch.slice(half))]
}

/** The bytes of each file, out of the one answer in which they stand in a row. */
async function * contentsOf ({ api, signal }: Receiver, files: readonly OfferedFile[]): AsyncGenerator<{ readonly file: OfferedFile, readonly bytes: Bytes }, void, undefined> {
  const { content } = await api.downloadMany(files.map(({ fileId }) => fileId), { signal })
  const waiting = files.map((file) => ({ file, bytes: new Uint8Array(sizeOf(file)) }))
  let filled = 0
  let next = waiting.shift()
  for await (const piece of content) {
    for (let taken = 0; taken < piece.length;) {
      if (next === undefined) throw new ClientError('BAD_ANSWER', { detail: 'It is longer than the files that were asked for.' })
      const part = piece.subarray(taken, taken + next.bytes.length - filled)
      next.bytes.set(part, filled)
      filled += part.length
      taken += part.length
      if (filled < next.bytes.length) continue
      yield next
      next = waiting.shift()
      filled = 0
    }
  }
  // Files without a byte may be the last ones.
  for (; next?.bytes.length === 0; next = waiting.shift()) yield next
  if (next !== undefined) throw new ClientError('NETWORK', { detail: 'The answer ended early.' })
}

async function openOrFail (member: Member, file: OfferedFile, bytes: Bytes): Promise<ReceivedFile | FailedFile> {
  try {
    return { file, content: member.contentKey === undefined ? await check(file, bytes) : await open(member.contentKey, file, bytes) }
  } catch (error) {
    if (isLocalSendError(error, 'CONTAINER_DAMAGED')) return { file, error: new ClientError('FILE_DAMAGED', { cause: error }) }
    if (isClientError(error, 'FILE_DAMAGED')) return { file, error }
    throw error
  }
}

async function open (contentKey: Bytes, { fileId, writer, size }: OfferedFile, container: Bytes): Promise<Bytes> {
  const opener = await openContainer(container.subarray(0, HEADER_SIZE), { contentKey, fileId, writers: writer })
  const step = opener.chunkSize + TAG_SIZE
  const count = Math.max(1, Math.ceil((container.length - HEADER_SIZE) / step))
  const chunks: Bytes[] = []
  for (let i = 0, at = HEADER_SIZE; i < count; i++, at += step) chunks.push(await opener.open(i, i === count - 1, container.subarray(at, at + step)))
  const [first] = chunks
  const content = first !== undefined && chunks.length === 1 ? first : concat(...chunks)
  if (size !== null && size !== content.length) throw new ClientError('FILE_DAMAGED', { detail: 'It has another size than its sender said.' })
  return content
}

async function check ({ sha256 }: OfferedFile, content: Bytes): Promise<Bytes> {
  const actual = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', content)))
  if (sha256 !== undefined && sha256 !== actual) throw new ClientError('FILE_DAMAGED', { detail: 'Its SHA-256 differs.' })
  return content
}

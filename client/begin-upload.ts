/** How the upload of a large source begins: afresh, or where an earlier process was interrupted. */

import { toBase64url, type Bytes } from '../lib/crypto/bytes.js'
import { MAX_PLAINTEXT, newSalt } from '../lib/crypto/container.js'
import { sealMetadata } from '../lib/crypto/metadata.js'
import type { FileId } from '../lib/ids.js'
import { newFileId } from '../lib/new-ids.js'
import type { UploadState } from './api.js'
import { ClientError, isClientError } from './errors.js'
import type { SendRecord } from './journal.js'
import { PlainContent, SealedContent, type Content } from './pieces.js'
import { persistently } from './retry.js'
import { descriptionOf, limitFields, writerOf, type KeyedSource, type Sender, type SentFile } from './sender.js'
import { streamInterrupted, type Source } from './source.js'

/** Chunks of 512 KiB: a gigabyte takes 7 % less processor time than in those of 256 KiB (docs/performance.md; protocol, section 5). */
const SENT_CHUNK_LOG2 = 0x13

/** An upload that can be gone on with. */
export interface Begun {
  readonly fileId: FileId
  readonly content: Content
  /** Bytes that the server has. */
  readonly offset: number
  /** Whether an earlier process had begun it. */
  readonly resumed: boolean
}

/**
 * What an earlier process has begun, if the source is still the same one and the server still has it. Otherwise what is left of
 * it is removed: nothing else may be sealed under its salt.
 */
export async function resumeUpload (sender: Sender, { source, key }: KeyedSource): Promise<Begun | undefined> {
  const entry = await sender.journal?.load(key)
  if (entry === undefined) return undefined
  const { record, noted, done } = entry
  const content = isSame(record, source) ? contentOf(sender, { source, key }, record, noted) : undefined
  if (content?.repeatable === true && content.length !== null) {
    const begun = { fileId: record.fileId, content, resumed: true }
    if (done) return { ...begun, offset: content.length }
    const state = await stateOf(sender, record.fileId)
    if (state === undefined) return undefined
    if (state.length === content.length && state.offset <= Math.min(content.length, content.begun)) return { ...begun, offset: state.offset }
  }
  await forgetUpload(sender, record.fileId)
  return undefined
}

/**
 * A stream that an earlier process has sent to its end; nobody can compare it, or send it again.
 *
 * @returns `undefined` if none had begun it
 * @throws ClientError SOURCE_FAILED if it was interrupted
 */
export async function streamSentEarlier (sender: Sender, { source, key }: KeyedSource): Promise<SentFile | undefined> {
  const entry = await sender.journal?.load(key)
  if (entry === undefined) return undefined
  const { record: { fileId }, done } = entry
  if (done) return { source, fileId, size: 0, resumed: true }
  await forgetUpload(sender, fileId)
  throw streamInterrupted()
}

/** Whether a source is what it was when its record was made, as far as can be told without reading it. */
export const isSame = ({ size, modified }: SendRecord, source: Source): boolean => size !== null && size === source.size && modified === source.modified.toISOString()

function contentOf ({ member, journal }: Sender, { source, key }: KeyedSource, { fileId, sealed }: SendRecord, noted: number): Content | undefined {
  const { contentKey } = member
  if (contentKey === undefined) return sealed === undefined ? new PlainContent(source) : undefined
  return sealed && new SealedContent(source, { contentKey, fileId, writer: writerOf(member), salt: sealed.salt, chunkLog2: sealed.chunkLog2, journal, key, noted })
}

/** @returns `undefined` if the server has no such upload */
async function stateOf ({ api, signal, retries }: Sender, fileId: FileId): Promise<UploadState | undefined> {
  try {
    return await persistently(retries(), () => api.uploadState(fileId, { signal }))
  } catch (error) {
    if (isClientError(error, 'FILE_NOT_FOUND', 'NOT_YOUR_UPLOAD')) return undefined
    throw error
  }
}

/** Removes an upload, or the file that it has become. That it fails is no failure: it is not there, or goes with the session. */
export async function forgetUpload ({ api, signal }: Sender, fileId: FileId): Promise<void> {
  try {
    await api.deleteFile(fileId, { signal })
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof ClientError)) throw error
  }
}

/**
 * Begins an upload, under an id and a salt of its own.
 *
 * @throws ClientError FILE_TOO_LARGE; SOURCE_FAILED if name or date cannot be described; what the server answers
 */
export async function beginUpload (sender: Sender, { source, key }: KeyedSource): Promise<Begun> {
  const { api, member: { contentKey }, journal, signal, retries } = sender
  if ((source.size ?? 0) > MAX_PLAINTEXT) throw new ClientError('FILE_TOO_LARGE', { detail: 'No file can have more than 2^40 bytes.' })
  const common = { size: source.size, modified: source.modified.toISOString() }
  if (contentKey === undefined) {
    const content = new PlainContent(source)
    const fields = { filename: source.name, ...(source.type !== '' && { filetype: source.type }), ...limitFields(sender) }
    const fileId = await persistently(retries(), () => api.beginUpload(content.length, fields, { signal }))
    await journal?.begin([{ key, record: { ...common, fileId } }])
    return { fileId, content, offset: 0, resumed: false }
  }
  const fileId = newFileId()
  const direct = source.size !== null && journal !== undefined ? sender.direct?.addresses : undefined
  const metadata = await sealDescription(sender, contentKey, source, fileId, direct)
  const sealed = { salt: newSalt(), chunkLog2: SENT_CHUNK_LOG2, metadata }
  await journal?.begin([{ key, record: { ...common, fileId, sealed } }])
  const content = new SealedContent(source, { ...sealed, contentKey, fileId, writer: writerOf(sender.member), journal, key, noted: 0 })
  const fields = { file_id: fileId, metadata: toBase64url(metadata), ...limitFields(sender) }
  await persistently(retries(), () => beginOnce(sender, content.length, fields))
  return { fileId, content, offset: 0, resumed: false }
}

/** Nobody else draws this id: if the server has it, the answer to an earlier try was lost. */
async function beginOnce ({ api, signal }: Sender, length: number | null, fields: Readonly<Record<string, string>>): Promise<void> {
  try {
    await api.beginUpload(length, fields, { signal })
  } catch (error) {
    if (!isClientError(error, 'FILE_EXISTS')) throw error
  }
}

/**
 * @param direct - where this side hands the source out itself
 * @throws ClientError SOURCE_FAILED
 */
export async function sealDescription (sender: Sender, contentKey: Bytes, source: Source, fileId: FileId, direct?: readonly string[]): Promise<Bytes> {
  try {
    return await sealMetadata({ ...descriptionOf(source), ...(direct !== undefined && { direct }) }, { contentKey, fileId, writer: writerOf(sender.member) })
  } catch (cause) {
    // A long name is worth more than a short way.
    if (direct !== undefined) return await sealDescription(sender, contentKey, source, fileId)
    throw new ClientError('SOURCE_FAILED', { detail: 'Its name is too long, or its date is none.', cause })
  }
}

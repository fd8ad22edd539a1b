/** What the ways of sending share. */

import type { Writer } from '../lib/crypto/container.js'
import type { Metadata } from '../lib/crypto/metadata.js'
import type { FileId } from '../lib/ids.js'
import type { Api } from './api.js'
import type { DirectSending } from './direct-sending.js'
import { isClientError, type ClientError, type ClientErrorCode } from './errors.js'
import type { Connection } from './http.js'
import type { SendJournal } from './journal.js'
import type { Retries } from './retry.js'
import type { Member } from './session.js'
import type { Source } from './source.js'

/** How far one source has come. */
export interface SendProgress {
  readonly source: Source
  /** Bytes of the source that the server has, or the receiver himself. */
  readonly sent: number
}

/** One run of sendFiles. */
export interface Sender {
  readonly connection: Connection
  readonly member: Member
  readonly api: Api
  readonly journal: SendJournal | undefined
  readonly direct: DirectSending | undefined
  readonly maxDownloads: number | undefined
  readonly signal: AbortSignal
  readonly onProgress: (progress: SendProgress) => void
  /** A count of failures for one transfer. */
  readonly retries: () => Retries
}

/** A source that the server has, or the receiver himself. */
export interface SentFile {
  /** As it was when it was sent. */
  readonly source: Source
  readonly fileId: FileId
  /** Bytes of the source. */
  readonly size: number
  /** Whether an earlier process had begun to send it. */
  readonly resumed: boolean
}

/** A source that cannot be sent, while others can. */
export interface FailedSource {
  readonly source: Source
  readonly error: ClientError
}

/** A source with its key in the journal. */
export interface KeyedSource {
  readonly source: Source
  readonly key: string
}

/** The letter in the headers of what a member writes (protocol local-send/1, section 5). */
export const writerOf = ({ role }: Pick<Member, 'role'>): Writer => role === 'creator' ? 'B' : 'A'

/** What is said of a source, to be sealed. */
export const descriptionOf = ({ name, size, type, modified, kind, mode }: Source): Metadata =>
  ({ name, size, type, modified: modified.toISOString(), ...(kind !== undefined && { kind }), ...(mode !== undefined && { mode: mode & 0o7777 }) })

/** The fields of an upload that limit the file. */
export const limitFields = ({ maxDownloads }: Sender): Record<string, string> => maxDownloads === undefined ? {} : { max_downloads: String(maxDownloads) }

/** What is wrong with one source, while others may still be sent. */
const OF_ONE_FILE: readonly ClientErrorCode[] = ['SOURCE_CHANGED', 'SOURCE_FAILED', 'FILE_TOO_LARGE', 'FILE_TYPE_NOT_ALLOWED', 'FILE_NOT_FOUND', 'CONTAINER_REFUSED', 'UPLOAD_TOO_FRAGMENTED', 'UPLOAD_TOO_LONG', 'CHECKSUM_MISMATCH']

/** Whether a failure concerns one source only. */
export const isOfOneFile = (error: unknown): boolean => isClientError(error, ...OF_ONE_FILE)

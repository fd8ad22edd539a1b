/**
 * The bytes of a file as the server has them, as one stream over broken connections: each goes on at the byte where the one
 * before it broke.
 */

import type { FileId } from '../lib/ids.js'
import type { Api, Download } from './api.js'
import { ClientError, isClientError } from './errors.js'
import type { Retries } from './retry.js'

/** What {@link downloadBytes} takes. */
export interface DownloadRequest {
  readonly api: Api
  readonly fileId: FileId
  /** Offset of the first byte. */
  readonly from: number
  /** Offset behind the last byte; all of them by default. */
  readonly to?: number
  /** Where the bytes come from as long as it has them, before the server is asked; only for what has no end. */
  readonly direct?: ((from: number) => Promise<Download | undefined>) | undefined
  readonly retries: Retries
  readonly signal: AbortSignal
}

/**
 * Bytes of a file, in pieces of any size. Of a file that is still being uploaded they come as it does.
 *
 * That the stream ends says only that the server has no more: whether that was all is for the reader to find out.
 *
 * @throws ClientError NETWORK when nothing has come for too many tries; FILE_DAMAGED if the server has another file by now; what
 *   the server answers
 */
export async function * downloadBytes ({ api, fileId, from, to, direct, retries, signal }: DownloadRequest): AsyncGenerator<Uint8Array, void, undefined> {
  let at = from
  let etag: string | undefined
  let size: number | null = null
  for (;;) {
    try {
      const fromSender = to === undefined ? await direct?.(at) : undefined
      const download = fromSender ?? await api.download(fileId, { from: at, ...(to !== undefined && { to }), ifRange: etag, signal })
      etag = sameFile(etag, download)
      size = download.size ?? size
      const end = to ?? size
      for await (const piece of download.start === at ? download.content : skip(download.content, at - download.start)) {
        const wanted = end === null ? piece : piece.subarray(0, end - at)
        at += wanted.length
        retries.progress()
        if (wanted.length > 0) yield wanted
        if (at === end) return
      }
      if (end === null || at >= end) return
      throw new ClientError('NETWORK', { detail: 'The answer ended early.' })
    } catch (error) {
      // Of a length that nobody knew, all had come when the connection broke.
      if (isClientError(error, 'RANGE_NOT_SATISFIABLE') && size === null && at > from) return
      await retries.after(at > from ? stillCounted(error) : error)
    }
  }
}

/** @throws ClientError FILE_DAMAGED */
function sameFile (etag: string | undefined, download: Download): string | undefined {
  if (etag !== undefined && download.etag !== null && download.etag !== etag) throw new ClientError('FILE_DAMAGED', { detail: 'The server has another file by now.' })
  return download.etag ?? etag
}

/** A broken download counts as one until the server has noticed that it broke. */
const stillCounted = (error: unknown): unknown => isClientError(error, 'DOWNLOADS_USED_UP') ? new ClientError('NETWORK', { cause: error }) : error

/** What comes after so many bytes. */
async function * skip (content: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  let left = size
  for await (const piece of content) {
    const rest = piece.subarray(left)
    left -= piece.length - rest.length
    if (rest.length > 0) yield rest
  }
}

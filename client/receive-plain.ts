/** Receiving from a managed session: what the server has opened, checked by length and, where there is a digest, by content. */

import type { Bytes } from '../lib/crypto/bytes.js'
import { downloadBytes, type DownloadRequest } from './download.js'
import { ClientError } from './errors.js'
import { allFiles } from './list.js'
import type { OfferedFile } from './offers.js'

/** Where a reader's bytes begin. */
export interface ReceiveStart {
  /** Offset of the first byte that comes, in bytes of plaintext: cut what is held to this length. */
  readonly at: number
  /** 92 bytes, to be kept for a later process that goes on; `undefined` in managed sessions. */
  readonly header: Bytes | undefined
}

/** A SHA-256 under way; Node's `createHash('sha256')` behind two methods is one. */
export interface Digest {
  /** Takes the next bytes. */
  update (bytes: Uint8Array): void
  /** Lowercase hex of all that was taken; called once. */
  hex (): string | Promise<string>
}

interface PlainOptions {
  readonly from?: number | undefined
  readonly onStart?: ((start: ReceiveStart) => Promise<void> | void) | undefined
  readonly digest?: Digest | undefined
}

/**
 * The bytes of a file. The last piece comes when length and digest were found right.
 *
 * @throws ClientError as receiveFile
 */
export async function * receivePlain (request: Omit<DownloadRequest, 'from' | 'to'>, file: OfferedFile, { from = 0, onStart, digest }: PlainOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { size } = file
  if (size !== null && from > size) throw damaged('More is held of it than there is.')
  await onStart?.({ at: from, header: undefined })
  let held: Uint8Array | undefined
  let received = from
  for await (const piece of received === size && size > 0 ? [] : downloadBytes({ ...request, from })) {
    if (held !== undefined) yield held
    received += piece.length
    digest?.update(piece)
    // The piece itself is valid only until the next one is asked for.
    held = new Uint8Array(piece)
  }
  if (size !== null && received !== size) throw damaged('It has another size than the list said.')
  if (digest !== undefined && await digest.hex() !== await sha256Of(request, file)) throw damaged('Its SHA-256 differs.')
  if (held !== undefined) yield held
}

const damaged = (detail: string): ClientError => new ClientError('FILE_DAMAGED', { detail })

/** What the server says that the digest is; known only when all of a file has come. */
async function sha256Of ({ api, signal }: Pick<DownloadRequest, 'api' | 'signal'>, { fileId, sha256 }: OfferedFile): Promise<string> {
  if (sha256 !== undefined) return sha256
  for await (const file of allFiles(api, signal)) {
    if (file.fileId === fileId && file.sha256 !== undefined) return file.sha256
  }
  throw new ClientError('FILE_NOT_FOUND')
}

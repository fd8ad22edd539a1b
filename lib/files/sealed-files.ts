/** What the server can see of the files of an end-to-end session: sealed descriptions and containers that it cannot open (protocol local-send/1, section 5). */

import { fromBase64url } from '../crypto/bytes.js'
import { checkHeader, CONTAINER, HEADER_SIZE, plaintextSize, type Writer } from '../crypto/container.js'
import { checkSealedMetadata } from '../crypto/metadata.js'
import { LocalSendError } from '../errors.js'
import { isFileId, type FileId } from '../ids.js'
import { findEntry } from '../sessions/session-files.js'
import type { Role, SessionRecord } from '../sessions/session.js'

/** What a sender says of a file, as it came. */
export interface Sealed {
  readonly fileId: string | undefined
  /** base64url */
  readonly metadata: string | undefined
}

/** The same, found to be of the right form. */
export interface SealedDescription {
  readonly fileId: FileId
  /** base64url */
  readonly metadata: string
}

const WRITERS: Readonly<Record<Role, Writer>> = { joiner: 'A', creator: 'B' }

/**
 * What stands in for a name in an end-to-end session; nothing in a managed one.
 * @throws LocalSendError INVALID_REQUEST, CONTAINER_REFUSED, FILE_EXISTS
 */
export function sealedDescription ({ session, role }: { readonly session: SessionRecord, readonly role: Role }, { fileId, metadata }: Sealed): SealedDescription | undefined {
  if (session.kind === 'managed') return undefined
  if (!isFileId(fileId) || metadata === undefined) {
    throw new LocalSendError('INVALID_REQUEST', { detail: 'In an end-to-end session a file has a "file_id", 32 lowercase hex digits, and sealed "metadata".' })
  }
  refusing(() => { checkSealedMetadata(fromBase64url(metadata), { fileId, writers: WRITERS[role] }) })
  if (findEntry(session, fileId) !== undefined) throw new LocalSendError('FILE_EXISTS')
  return { fileId, metadata }
}

/** What the server can check of a container: whose it is, and whether it may be so long. */
export class ContainerCheck {
  readonly #fileId: FileId
  readonly #writer: Writer

  constructor (fileId: FileId, uploadedBy: Role) {
    this.#fileId = fileId
    this.#writer = WRITERS[uploadedBy]
  }

  begin (head: Uint8Array): Promise<void> {
    this.#chunkLog2(head)
    return Promise.resolve()
  }

  end (head: Uint8Array, size: number): Promise<string> {
    const chunkLog2 = this.#chunkLog2(head)
    refusing(() => plaintextSize(size, chunkLog2))
    return Promise.resolve('application/octet-stream')
  }

  #chunkLog2 (head: Uint8Array): number {
    return refusing(() => checkHeader(CONTAINER, head.subarray(0, HEADER_SIZE), { fileId: this.#fileId, writers: this.#writer }).chunkLog2)
  }
}

function refusing <Result> (check: () => Result): Result {
  try {
    return check()
  } catch (cause) {
    throw new LocalSendError('CONTAINER_REFUSED', { cause })
  }
}

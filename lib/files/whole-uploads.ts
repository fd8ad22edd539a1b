import { isLocalSendError, LocalSendError } from '../errors.js'
import type { FileId } from '../ids.js'
import { newFileId } from '../new-ids.js'
import { contentKeyOf, type NewFile } from '../sessions/session.js'
import type { Transfer } from '../sessions/transfers.js'
import { withPart } from '../sessions/session-files.js'
import type { ArrivingFiles } from './arriving-files.js'
import { fencedKey } from './blob-store.js'
import { Checksum } from './checksum.js'
import { limitsOf, type FileLimits } from './file-limits.js'
import { contentCheck } from './content-check.js'
import { checkExtension, SNIFFED_BYTES } from './file-types.js'
import type { Participant } from './files.js'
import type { Lane } from './memory-budget.js'
import { safeFileName } from './names.js'
import { sealedDescription, type Sealed } from './sealed-files.js'
import { storeParts, undoAll, type UploadDependencies } from './store-part.js'
import { abortable, arriving, splitHead } from './streams.js'

/** A file as it arrives, before anything of it is believed. */
export interface IncomingFile {
  /** In a managed session. */
  readonly filename: string | undefined
  /** In an end-to-end session. */
  readonly sealed: Sealed
  readonly declaredType: string
  /** What the sender says its SHA-256 is: lowercase hex. */
  readonly expectedSha256: string | undefined
  /** Bytes; `null` where the sender does not say. */
  readonly size: number | null
  readonly limits: FileLimits
  readonly content: AsyncIterable<Uint8Array>
}

interface Dependencies extends UploadDependencies {
  readonly arrivingFiles: ArrivingFiles
  readonly clock: () => number
  /** Whether other processes have the sessions, too: a change whose answer is lost may have been made. */
  readonly isShared: boolean
}

/** One request under way. */
interface Upload {
  readonly participant: Participant
  readonly transfer: Transfer
  readonly lane: Lane
  /** The files that have begun; whoever has the upload ends them. */
  readonly begun: FileId[]
}

/** Uploads that succeed or leave nothing: one request, any number of files, each sealed before it is stored. */
export class WholeUploads {
  readonly #use: Dependencies

  constructor (dependencies: Dependencies) {
    this.#use = dependencies
  }

  /**
   * Stores the files of one upload, all or none.
   *
   * @param expectedSize - bytes that will come at least, 0 if unknown: what cannot fit is refused before it is read
   * @param client - fires when the client has gone, or sends too little
   * @throws LocalSendError NO_FILE, FILE_TOO_LARGE, SESSION_SIZE_EXCEEDED, TOO_MANY_FILES, FILE_TYPE_NOT_ALLOWED, CHECKSUM_MISMATCH,
   *   CONTAINER_REFUSED, FILE_EXISTS,
   *   STORAGE_FULL, SERVER_BUSY, SESSION_CLOSED, SERVER_STOPPING, and whatever `incoming` throws
   */
  async upload (participant: Participant, incoming: AsyncIterable<IncomingFile>, expectedSize: number, client: AbortSignal): Promise<readonly NewFile[]> {
    const { sessions, quota, budget, records, files, arrivingFiles, clock, isShared } = this.#use
    const { session, role, id } = participant
    const transfer = sessions.transfers.begin('upload', session.id, id, client)
    const stored: NewFile[] = []
    const begun: FileId[] = []
    let failure: unknown
    let lane: Lane | undefined
    try {
      await sessions.stillIn(session.id, id)
      await quota.check(session, expectedSize)
      lane = await budget.admit(transfer)
      for await (const file of abortable(incoming, transfer.signal)) {
        if (session.files.length + session.uploads.length + stored.length >= session.limits.maxFiles) throw new LocalSendError('TOO_MANY_FILES')
        const sealed = await this.#store({ participant, transfer, lane, begun }, file)
        stored.push({ ...sealed, ...limitsOf(file.limits, clock()), uploadedBy: role, uploaderId: id, uploadedAt: clock(), downloads: 0, uploadMetadata: null })
      }
      if (stored.length === 0) throw new LocalSendError('NO_FILE')
      transfer.signal.throwIfAborted()
      await records.add(session.id, stored)
      return stored
    } catch (error) {
      failure = transfer.signal.aborted ? transfer.signal.reason : error
      // Where nobody knows whether the record has them, they stay: a file without its bytes would be worse than bytes without a file.
      if (!isShared || !isLocalSendError(error, 'STORE_UNAVAILABLE')) await files.discard(session.id, stored)
      throw failure
    } finally {
      for (const file of begun) arrivingFiles.end(file, failure === undefined ? 'stored' : 'given-up')
      lane?.close()
      transfer.end(failure)
    }
  }

  /** Stores one file; leaves nothing behind if that fails. */
  async #store ({ participant, transfer, lane, begun }: Upload, file: IncomingFile): Promise<Pick<NewFile, 'id' | 'name' | 'sealedMetadata' | 'contentType' | 'size' | 'sha256' | 'parts' | 'fences'>> {
    const { blobs, quota, types, arrivingFiles, newFence } = this.#use
    const { session, role } = participant
    const sealed = sealedDescription(participant, file.sealed)
    const name = sealed === undefined ? safeFileName(file.filename) : null
    if (name !== null) checkExtension(name, types)
    const id = sealed?.fileId ?? newFileId()
    if (begun.includes(id)) throw new LocalSendError('FILE_EXISTS')
    const check = contentCheck(session, { id, uploadedBy: role }, file.declaredType, types)
    const { head: begins, source } = await splitHead(arriving(abortable(file.content, transfer.signal)), SNIFFED_BYTES)
    // A copy: the memory of what is written is given back.
    const head = new Uint8Array(begins.subarray(0, SNIFFED_BYTES))
    await check.begin(head)

    begun.push(id)
    arrivingFiles.begin({ sessionId: session.id, id, name, size: file.size, uploadedBy: role })
    const checksum = session.kind === 'managed' ? new Checksum() : undefined
    const parts = await storeParts({
      blobs,
      key: fencedKey({ sessionId: session.id, fileId: id, part: 0 }, newFence()),
      contentKey: contentKeyOf(session),
      reserve: (before) => quota.file(session, before),
      checksums: checksum === undefined ? [] : [checksum],
      transfer,
      onReadable: (bytes) => { arrivingFiles.advance(id, bytes) },
      source,
      lane
    })
    const size = parts.reduce((sum, part) => sum + part.size, 0)
    try {
      const sha256 = checksum?.digest() ?? null
      if (file.expectedSha256 !== undefined && sha256 !== null && file.expectedSha256 !== sha256) throw new LocalSendError('CHECKSUM_MISMATCH')
      const stored = parts.reduce<Pick<NewFile, 'parts' | 'fences'>>((known, part) => withPart(known, part.size, part), { parts: [] })
      return { id, name, sealedMetadata: sealed?.metadata ?? null, contentType: await check.end(head, size), size, sha256, ...stored }
    } catch (error) {
      await undoAll(parts)
      throw error
    }
  }
}

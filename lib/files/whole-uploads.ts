import { LocalSendError } from '../errors.js'
import type { FileId } from '../ids.js'
import { newFileId } from '../new-ids.js'
import type { NewFile } from '../sessions/session.js'
import type { Transfer } from '../sessions/transfers.js'
import type { ArrivingFiles } from './arriving-files.js'
import { Checksum } from './checksum.js'
import { limitsOf, type FileLimits } from './file-limits.js'
import { checkExtension, checkType, detectType, SNIFFED_BYTES } from './file-types.js'
import type { Participant } from './files.js'
import type { Lane } from './memory-budget.js'
import { safeFileName } from './names.js'
import { storePart, type UploadDependencies } from './store-part.js'
import { abortable, arriving, splitHead } from './streams.js'

/** A file as it arrives, before anything of it is believed. */
export interface IncomingFile {
  readonly filename: string | undefined
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
   *   STORAGE_FULL, SERVER_BUSY, SESSION_CLOSED, SERVER_STOPPING, and whatever `incoming` throws
   */
  async upload (participant: Participant, incoming: AsyncIterable<IncomingFile>, expectedSize: number, client: AbortSignal): Promise<readonly NewFile[]> {
    const { sessions, quota, budget, records, files, arrivingFiles, clock } = this.#use
    const { session, role, id } = participant
    const transfer = sessions.transfers.begin(session.id, id, client)
    const stored: NewFile[] = []
    const begun: FileId[] = []
    let outcome: 'stored' | 'given-up' = 'given-up'
    let lane: Lane | undefined
    try {
      await sessions.stillIn(session.id, id)
      await quota.check(session.id, expectedSize)
      lane = await budget.admit(transfer.signal)
      for await (const file of abortable(incoming, transfer.signal)) {
        if (session.files.length + session.uploads.length + stored.length >= session.limits.maxFiles) throw new LocalSendError('TOO_MANY_FILES')
        const sealed = await this.#store({ participant, transfer, lane, begun }, file)
        stored.push({ ...sealed, ...limitsOf(file.limits, clock()), uploadedBy: role, uploaderId: id, uploadedAt: clock(), downloads: 0, uploadMetadata: null })
      }
      if (stored.length === 0) throw new LocalSendError('NO_FILE')
      transfer.signal.throwIfAborted()
      await records.add(session.id, stored)
      outcome = 'stored'
      return stored
    } catch (error) {
      await files.discard(session.id, stored)
      throw transfer.signal.aborted ? transfer.signal.reason : error
    } finally {
      for (const file of begun) arrivingFiles.end(file, outcome)
      lane?.close()
      transfer.end()
    }
  }

  /** Stores one file; leaves nothing behind if that fails. */
  async #store ({ participant: { session, role }, transfer, lane, begun }: Upload, file: IncomingFile): Promise<Pick<NewFile, 'id' | 'name' | 'contentType' | 'size' | 'sha256' | 'parts'>> {
    const { blobs, quota, types, arrivingFiles } = this.#use
    const name = safeFileName(file.filename)
    checkExtension(name, types)
    const { head, source } = await splitHead(arriving(abortable(file.content, transfer.signal)), SNIFFED_BYTES)
    const contentType = await detectType(head, file.declaredType)
    checkType(contentType, types)

    const id = newFileId()
    begun.push(id)
    arrivingFiles.begin({ sessionId: session.id, id, name, size: file.size, uploadedBy: role })
    const checksum = new Checksum()
    const { size, undo } = await storePart({
      blobs,
      key: { sessionId: session.id, fileId: id, part: 0 },
      contentKey: session.secrets.contentKey,
      reservation: quota.file(session.id),
      checksums: [checksum],
      signal: transfer.signal,
      abort: transfer.abort,
      onReadable: (bytes) => { arrivingFiles.advance(id, bytes) },
      source,
      lane
    })
    const sha256 = checksum.digest()
    if (file.expectedSha256 === undefined || file.expectedSha256 === sha256) return { id, name, contentType, size, sha256, parts: [size] }
    await undo()
    throw new LocalSendError('CHECKSUM_MISMATCH')
  }
}

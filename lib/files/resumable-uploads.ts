import { LocalSendError } from '../errors.js'
import type { FileId } from '../ids.js'
import { newFileId } from '../new-ids.js'
import { isUpload, offsetOf } from '../sessions/session-files.js'
import type { OpenUpload, SessionRecord, StoredFile } from '../sessions/session.js'
import { limitsOf, type FileLimits } from './file-limits.js'
import { checkExtension, claimedType } from './file-types.js'
import type { Files, Participant } from './files.js'
import { safeFileName } from './names.js'
import { recoverPart, sizeOfPart } from './recover-part.js'
import { sealedDescription, type Sealed } from './sealed-files.js'
import type { UploadTurns } from './turns.js'
import { UploadWriter, type Piece, type Progress, type UploadWriterDependencies } from './upload-writer.js'

/** What a sender says of a file of which nothing has come yet. */
export interface UploadRequest {
  /** In a managed session. */
  readonly filename: string | undefined
  /** In an end-to-end session. */
  readonly sealed: Sealed
  readonly declaredType: string
  /** Bytes; `null` while the sender does not know. */
  readonly length: number | null
  /** Lowercase hex. */
  readonly expectedSha256: string | undefined
  readonly limits: FileLimits
  readonly uploadMetadata: string | null
}

interface Dependencies extends UploadWriterDependencies {
  readonly files: Files
  readonly turns: UploadTurns
  readonly clock: () => number
}

/**
 * Uploads that go on where they stopped: each piece is sealed as a part of its own, so no nonce is used twice, and every byte
 * whose offset was told survives the process (protocol local-send/1, section 5).
 */
export class ResumableUploads {
  readonly #use: Dependencies
  readonly #writer: UploadWriter

  constructor (dependencies: Dependencies) {
    this.#use = dependencies
    this.#writer = new UploadWriter(dependencies)
  }

  /**
   * Begins an upload. An empty file is complete at once.
   * @throws LocalSendError FILE_TOO_LARGE, SESSION_SIZE_EXCEEDED, TOO_MANY_FILES, FILE_TYPE_NOT_ALLOWED, CONTAINER_REFUSED,
   *   FILE_EXISTS, STORAGE_FULL, SESSION_CLOSED
   */
  async create (participant: Participant, request: UploadRequest): Promise<FileId> {
    const { quota, records, types, activity, clock } = this.#use
    const { session, role } = participant
    const sealed = sealedDescription(participant, request.sealed)
    const name = sealed === undefined ? safeFileName(request.filename) : null
    if (name !== null) checkExtension(name, types)
    refuseLength(session, request.length)
    await quota.check(session, request.length ?? 0)
    const { declaredType, length, expectedSha256, limits, uploadMetadata } = request
    const now = clock()
    const id = sealed?.fileId ?? newFileId()
    activity.markSound(id)
    await records.open(session.id, {
      id,
      name,
      declaredType: claimedType(declaredType),
      length,
      expectedSha256: expectedSha256 ?? null,
      guardedPart: null,
      uploadedBy: role,
      uploaderId: participant.id,
      uploadedAt: now,
      parts: [],
      downloads: 0,
      ...limitsOf(limits, now),
      uploadMetadata,
      sealedMetadata: sealed?.metadata ?? null
    })
    if (length === 0) await this.append(participant, id, { ...NOTHING, client: new AbortController().signal })
    return id
  }

  /**
   * How far an upload has come. Whoever asks is about to go on with it: a request that still hangs on it is ended, so that the
   * answer stays true.
   * @throws LocalSendError UPLOAD_LOCKED, FILE_NOT_FOUND, NOT_YOUR_UPLOAD, SESSION_CLOSED
   */
  async progress (participant: Participant, id: FileId): Promise<Progress> {
    const turn = await this.#use.turns.take(id)
    try {
      const entry = await this.#current(participant, id)
      return { entry, offset: offsetOf(entry) }
    } finally {
      turn.end()
    }
  }

  /**
   * Goes on with an upload. What has arrived is kept wherever it breaks off; the last byte makes it a file.
   * @throws LocalSendError UPLOAD_OFFSET_MISMATCH, UPLOAD_TOO_LONG, UPLOAD_TOO_FRAGMENTED, UPLOAD_INCOMPLETE, UPLOAD_STALLED, UPLOAD_LOCKED,
   *   PIECE_CHECKSUM_MISMATCH, CHECKSUM_MISMATCH, FILE_TYPE_NOT_ALLOWED, CONTAINER_REFUSED, FILE_NOT_FOUND, NOT_YOUR_UPLOAD, FILE_TOO_LARGE,
   *   SESSION_SIZE_EXCEEDED, STORAGE_FULL, SERVER_BUSY, SERVER_STOPPING, SESSION_CLOSED
   */
  async append (participant: Participant, id: FileId, piece: Piece): Promise<Progress> {
    const { sessions, turns, budget, activity } = this.#use
    const { session } = participant
    const turn = await turns.take(id)
    try {
      const transfer = sessions.transfers.begin('upload', session.id, participant.id, turn.signal)
      let failure: unknown
      try {
        const entry = await this.#current(participant, id)
        const offset = offsetOf(entry)
        if (piece.offset !== offset) throw new LocalSendError('UPLOAD_OFFSET_MISMATCH', { detail: `It stands at ${offset}.` })
        if (!isUpload(entry)) return nothingMore(entry, piece)
        const upload = await this.#withLength(session, entry, piece.length)
        const lane = await budget.admit(transfer)
        try {
          return await this.#writer.write(session, upload, piece, { transfer, lane, onPiece: turn.touch })
        } finally {
          lane.close()
        }
      } catch (error) {
        failure = error
        // What could not be removed may be there still.
        activity.doubt(id)
        throw error
      } finally {
        transfer.end(failure)
      }
    } finally {
      turn.end()
    }
  }

  /** The upload as its record has it now, after what a crash may have left of it was put in order. */
  async #current (participant: Participant, id: FileId): Promise<StoredFile | OpenUpload> {
    const { sessions, files, records, activity, isShared } = this.#use
    const session = await sessions.stillIn(participant.session.id, participant.id)
    const entry = files.find(session, id)
    if (entry.uploaderId !== participant.id) throw new LocalSendError('NOT_YOUR_UPLOAD')
    // Where others write, a part that was left open lies under the fence of whoever left it, and is begun anew.
    if (isShared && isUpload(entry)) return await records.takeTurn(session.id, id)
    if (!isUpload(entry) || activity.isSound(id)) return entry
    const recovered = await this.#recover(session, entry)
    activity.markSound(id)
    return recovered
  }

  async #recover (session: SessionRecord, upload: OpenUpload): Promise<StoredFile | OpenUpload> {
    const { blobs, quota, records, budget } = this.#use
    const key = { sessionId: session.id, fileId: upload.id, part: upload.parts.length }
    if (upload.guardedPart === key.part) {
      await blobs.remove(key)
      return upload
    }
    const size = session.secrets === null
      ? await sizeOfPart(blobs, key)
      : await recoverPart(blobs, key, { contentKey: session.secrets.contentKey, fileId: upload.id, writers: 'S' })
    if (size === 0) return upload
    quota.restore(session.id, size)
    await records.append(session.id, upload.id, size, upload)
    const recovered = { ...upload, parts: [...upload.parts, size] }
    if (offsetOf(recovered) !== upload.length) return recovered
    const lane = await budget.admit({ signal: new AbortController().signal, sessionId: session.id })
    try {
      return await this.#writer.finish(session, recovered, lane)
    } finally {
      lane.close()
    }
  }

  async #withLength (session: SessionRecord, upload: OpenUpload, length: number | undefined): Promise<OpenUpload> {
    if (length === undefined || length === upload.length) return upload
    if (upload.length !== null || length < offsetOf(upload)) throw new LocalSendError('INVALID_REQUEST', { detail: 'The length of this upload is fixed already, or less than what has arrived.' })
    refuseLength(session, length)
    await this.#use.records.setLength(session.id, upload.id, length, upload)
    return { ...upload, length }
  }
}

const NOTHING: Omit<Piece, 'client'> = { offset: 0, size: 0, length: undefined, checksum: undefined, content: { async * [Symbol.asyncIterator] () {} } }

/** A piece for a file that is complete: right only if it is empty. */
function nothingMore (entry: StoredFile, { size }: Piece): Progress {
  if (size !== 0) throw new LocalSendError('UPLOAD_TOO_LONG')
  return { entry, offset: entry.size }
}

function refuseLength ({ limits }: SessionRecord, length: number | null): void {
  if ((length ?? 0) > limits.maxFileSize) throw new LocalSendError('FILE_TOO_LARGE', { detail: `The limit is ${limits.maxFileSize} bytes.` })
}

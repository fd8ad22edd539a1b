import { addAbortSignal, type Readable } from 'node:stream'
import { createSealer } from '../crypto/container.js'
import { LocalSendError } from '../errors.js'
import type { FileId, SessionId } from '../ids.js'
import { newFileId } from '../new-ids.js'
import type { Caller, Sessions } from '../sessions/sessions.js'
import type { NewFile, SessionRecord, StoredFile } from '../sessions/session.js'
import type { Transfer } from '../sessions/transfers.js'
import type { BlobReader, BlobStore } from './blob-store.js'
import { checkType, detectType, SNIFFED_BYTES, type TypePolicy } from './file-types.js'
import type { Lane, MemoryBudget } from './memory-budget.js'
import { safeFileName } from './names.js'
import { openDownload } from './open-download.js'
import { PacedReadable } from './paced-readable.js'
import type { ByteRange } from './ranges.js'
import { sealUpload } from './seal-upload.js'
import type { StorageQuota } from './storage-quota.js'
import { abortable, arriving, begun, splitHead } from './streams.js'

/** A file as it arrives, before anything of it is believed. */
export interface IncomingFile {
  readonly filename: string | undefined
  readonly declaredType: string
  /** What the sender says its SHA-256 is: lowercase hex. */
  readonly expectedSha256: string | undefined
  readonly content: Readable
}

/** A participant: who may use files. */
export type Participant = Exclude<Caller, { role: 'pending' }>

interface Dependencies {
  readonly sessions: Sessions
  readonly blobs: BlobStore
  readonly quota: StorageQuota
  readonly budget: MemoryBudget
  readonly types: TypePolicy
  /** Told of failures that no caller waits for. */
  readonly onError: (error: unknown) => void
}

/** The files of managed sessions: sealed before they are stored, opened while they are read. */
export class Files {
  readonly #sessions: Sessions
  readonly #blobs: BlobStore
  readonly #quota: StorageQuota
  readonly #budget: MemoryBudget
  readonly #types: TypePolicy
  readonly #onError: (error: unknown) => void

  constructor ({ sessions, blobs, quota, budget, types, onError }: Dependencies) {
    this.#sessions = sessions
    this.#blobs = blobs
    this.#quota = quota
    this.#budget = budget
    this.#types = types
    this.#onError = onError
    sessions.onEnd((session) => this.#remove(session.id, session.files))
  }

  /**
   * Stores the files of one upload, all or none.
   *
   * @param expectedSize - bytes that will come at least, 0 if unknown: what cannot fit is refused before it is read
   * @param client - fires when the client has gone
   * @throws LocalSendError NO_FILE, FILE_TOO_LARGE, SESSION_SIZE_EXCEEDED, TOO_MANY_FILES, FILE_TYPE_NOT_ALLOWED, CHECKSUM_MISMATCH,
   *   STORAGE_FULL, SERVER_BUSY, SESSION_CLOSED, SERVER_STOPPING, and whatever `incoming` throws
   */
  async upload ({ session, role, id }: Participant, incoming: AsyncIterable<IncomingFile>, expectedSize: number, client: AbortSignal): Promise<readonly NewFile[]> {
    const transfer = this.#sessions.transfers.begin(session.id, id, client)
    const stored: NewFile[] = []
    let lane: Lane | undefined
    try {
      await this.#sessions.stillIn(session.id, id)
      await this.#quota.check(session.id, expectedSize)
      lane = await this.#budget.admit(transfer.signal)
      for await (const file of abortable(incoming, transfer.signal)) {
        if (session.files.length + stored.length >= session.limits.maxFiles) throw new LocalSendError('TOO_MANY_FILES')
        const sealed = await this.#seal(session, file, transfer, lane)
        stored.push({ ...sealed, uploadedBy: role, uploaderId: id, uploadedAt: Date.now(), downloads: 0 })
      }
      if (stored.length === 0) throw new LocalSendError('NO_FILE')
      transfer.signal.throwIfAborted()
      await this.#sessions.addFiles(session.id, stored)
      return stored
    } catch (error) {
      await this.#remove(session.id, stored)
      throw transfer.signal.aborted ? transfer.signal.reason : error
    } finally {
      lane?.close()
      transfer.end()
    }
  }

  /** Seals one file into a blob of its own; leaves nothing behind if that fails. */
  async #seal (session: SessionRecord, file: IncomingFile, transfer: Transfer, lane: Lane): Promise<SealedFile> {
    addAbortSignal(transfer.signal, file.content)
    const name = safeFileName(file.filename)
    const { head, source } = await splitHead(arriving(file.content), SNIFFED_BYTES)
    const contentType = await detectType(head, file.declaredType)
    checkType(name, contentType, this.#types)

    const id = newFileId()
    const { contentKey } = session.secrets
    const reservation = this.#quota.file(session.id)
    const writer = await this.#blobs.create({ sessionId: session.id, fileId: id, part: 0 })
    try {
      transfer.signal.throwIfAborted()
      const sealer = await createSealer({ contentKey, fileId: id, writer: 'S' })
      const { size, sha256 } = await sealUpload({ source, sealer, writer, lane, reservation, abort: transfer.abort })
      if (file.expectedSha256 !== undefined && file.expectedSha256 !== sha256) throw new LocalSendError('CHECKSUM_MISMATCH')
      await writer.commit()
      return { id, name, contentType, size, sha256, parts: [size] }
    } catch (error) {
      reservation.cancel()
      await writer.abort()
      throw error
    }
  }

  /**
   * Streams a file, or a range of it. The first chunk has been read and verified when this returns; a later failure destroys
   * the stream. The stream must be read to its end or destroyed.
   *
   * @param client - fires when the client has gone
   * @throws LocalSendError CONTAINER_DAMAGED, DOWNLOADS_USED_UP, FILE_NOT_FOUND, SESSION_CLOSED, SERVER_BUSY, SERVER_STOPPING
   */
  async download ({ session, id }: Participant, file: StoredFile, range: ByteRange, client: AbortSignal): Promise<Readable> {
    const transfer = this.#sessions.transfers.begin(session.id, id, client)
    let lane: Lane | undefined
    let blob: BlobReader | undefined
    let giveBack: (() => Promise<void>) | undefined
    let chunks: ReturnType<typeof openDownload> | undefined
    let complete = false
    const release = async (): Promise<void> => {
      await chunks?.return()
      lane?.close()
      try {
        await Promise.all([blob?.close(), complete ? undefined : giveBack?.()])
      } finally {
        transfer.end()
      }
    }
    try {
      this.find(await this.#sessions.stillIn(session.id, id), file.id)
      giveBack = await this.#sessions.reserveDownload(session, file.id)
      lane = await this.#budget.admit(transfer.signal)
      blob = await this.#blobs.open({ sessionId: session.id, fileId: file.id, part: 0 })
      const expected = { contentKey: session.secrets.contentKey, fileId: file.id, writers: 'S' } as const
      transfer.signal.throwIfAborted()
      chunks = openDownload({ blob, expected, size: file.size, lane }, range)
      const source = await begun(chunks)
      transfer.signal.throwIfAborted()
      const stream = new PacedReadable(source, transfer.signal)
      stream.once('end', () => { complete = true })
      stream.once('close', () => { release().catch(this.#onError) })
      return stream
    } catch (error) {
      await release()
      throw transfer.signal.aborted ? transfer.signal.reason : error
    }
  }

  /**
   * Removes a file for good. Its uploader and the creator may.
   * @throws LocalSendError FILE_NOT_FOUND, NOT_YOUR_FILE
   */
  async delete ({ session, role, id }: Participant, fileId: FileId): Promise<void> {
    const { uploaderId } = this.find(session, fileId)
    if (role !== 'creator' && uploaderId !== id) throw new LocalSendError('NOT_YOUR_FILE')
    const removed = await this.#sessions.removeFile(session.id, fileId)
    if (removed !== undefined) await this.#remove(session.id, [removed])
  }

  /** @throws LocalSendError FILE_NOT_FOUND */
  find (session: SessionRecord, id: FileId): StoredFile {
    const file = session.files.find((candidate) => candidate.id === id)
    if (file === undefined) throw new LocalSendError('FILE_NOT_FOUND')
    return file
  }

  /**
   * Removes blobs that no session claims: what a crash left behind. To be called before the first upload.
   * @returns how many blobs were removed
   */
  async removeUnclaimed (): Promise<number> {
    let removed = 0
    for (const [sessionId, keys] of await this.#blobs.inventory()) {
      if (await this.#sessions.find(sessionId) !== undefined) continue
      for (const key of keys) await this.#blobs.remove(key)
      removed += keys.length
    }
    return removed
  }

  /** Removes the blobs of files; one that cannot be removed keeps its room and does not keep the others. */
  async #remove (sessionId: SessionId, files: readonly NewFile[]): Promise<void> {
    const failures: unknown[] = []
    for (const { id, size, parts } of files) {
      try {
        for (const part of parts.keys()) await this.#blobs.remove({ sessionId, fileId: id, part })
        this.#quota.release(sessionId, size)
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'some files could not be removed')
  }
}

type SealedFile = Pick<StoredFile, 'id' | 'name' | 'contentType' | 'size' | 'sha256' | 'parts'>

import { isLocalSendError, LocalSendError } from '../errors.js'
import type { FileId, SessionId } from '../ids.js'
import * as state from './session-files.js'
import type { Completion, UploadChanger } from './session-files.js'
import type { NewFile, NewUpload, OpenUpload, ParticipantId, SessionRecord, StoredFile } from './session.js'
import type { Sessions } from './sessions.js'

/** What the record of a session says of its files, and the atomic changes of it, of which those who listen are told. Every method throws SESSION_CLOSED where the session is gone. */
export class FileRecords {
  readonly #sessions: Sessions

  constructor (sessions: Sessions) {
    this.#sessions = sessions
  }

  /**
   * Adds the files of one upload, all or none.
   * @throws LocalSendError TOO_MANY_FILES, SESSION_SIZE_EXCEEDED, FILE_EXISTS
   */
  async add (id: SessionId, files: readonly NewFile[]): Promise<void> {
    accept(await this.#sessions.change(id, (record) => state.addFiles(record, files)))
    for (const file of files) this.#sessions.events.fileReady(id, file)
  }

  /**
   * Begins an upload that can be resumed.
   * @throws LocalSendError TOO_MANY_FILES, SESSION_SIZE_EXCEEDED, FILE_EXISTS
   */
  async open (id: SessionId, upload: NewUpload): Promise<void> {
    accept(await this.#sessions.change(id, (record) => state.openUpload(record, upload)))
    this.#sessions.events.fileStarted(id, { ...upload, size: upload.length })
  }

  /**
   * Takes an upload over from whatever process had it.
   * @throws LocalSendError FILE_NOT_FOUND
   */
  async takeTurn (id: SessionId, fileId: FileId): Promise<OpenUpload> {
    return accept(await this.#sessions.change(id, (record) => state.takeTurn(record, fileId)))
  }

  /**
   * Adds a part to an upload.
   * @throws LocalSendError FILE_NOT_FOUND, SESSION_SIZE_EXCEEDED, UPLOAD_LOCKED
   */
  async append (id: SessionId, fileId: FileId, size: number, changer: UploadChanger): Promise<void> {
    accept(await this.#sessions.change(id, (record) => state.appendPart(record, fileId, size, changer)))
  }

  /**
   * Says which part of an upload is kept whole or not at all, before a byte of it is stored.
   * @throws LocalSendError FILE_NOT_FOUND, UPLOAD_LOCKED
   */
  async guard (id: SessionId, fileId: FileId, part: number | null, changer: UploadChanger): Promise<void> {
    accept(await this.#sessions.change(id, (record) => state.guardPart(record, fileId, part, changer)))
  }

  /** @throws LocalSendError FILE_NOT_FOUND, UPLOAD_LOCKED */
  async setLength (id: SessionId, fileId: FileId, length: number, changer: UploadChanger): Promise<void> {
    accept(await this.#sessions.change(id, (record) => state.setLength(record, fileId, length, changer)))
  }

  /**
   * Makes an upload a file.
   * @throws LocalSendError FILE_NOT_FOUND, SESSION_SIZE_EXCEEDED, UPLOAD_LOCKED
   */
  async complete (id: SessionId, fileId: FileId, completion: Completion, changer: UploadChanger): Promise<StoredFile> {
    const file = accept(await this.#sessions.change(id, (record) => state.completeUpload(record, fileId, completion, changer)))
    this.#sessions.events.fileReady(id, file)
    return file
  }

  /** @returns what was removed, `undefined` if another call has removed it */
  async remove (id: SessionId, fileId: FileId): Promise<StoredFile | OpenUpload | undefined> {
    const removed = await this.#sessions.change(id, (record) => state.removeFile(record, fileId))
    if (removed !== undefined) this.#sessions.events.fileDeleted(id, removed)
    return removed
  }

  /**
   * Notes that a participant has received files, all or none.
   * @throws LocalSendError FILE_NOT_FOUND
   */
  async markReceived (id: SessionId, fileIds: readonly FileId[], participant: ParticipantId): Promise<void> {
    const news = accept(await this.#sessions.change(id, (record) => state.markReceived(record, fileIds, participant)))
    for (const file of news) this.#sessions.events.fileReceived(id, file, participant)
  }

  /**
   * Reserves one download of each of some files where their number is limited: of all, or none.
   * @returns what gives the reservations of some of them back if the download breaks
   * @throws LocalSendError DOWNLOADS_USED_UP, FILE_NOT_FOUND
   */
  async reserveDownloads (session: SessionRecord, wanted: ReadonlyArray<StoredFile | OpenUpload>): Promise<(unused: ReadonlyArray<StoredFile | OpenUpload>) => Promise<void>> {
    const limited = (some: ReadonlyArray<StoredFile | OpenUpload>): ReadonlySet<FileId> =>
      new Set(some.filter((entry) => state.maxDownloads(session, entry) !== null).map(({ id }) => id))
    const reserved = limited(wanted)
    if (reserved.size === 0) return () => Promise.resolve()
    accept(await this.#sessions.change(session.id, (record) => state.reserveDownloads(record, reserved)))
    return async (unused) => {
      try {
        await this.#sessions.change(session.id, (record) => state.giveBackDownloads(record, limited(unused)))
      } catch (error) {
        if (!isLocalSendError(error, 'SESSION_CLOSED')) throw error
      }
    }
  }
}

const REFUSALS = {
  'too-many': 'TOO_MANY_FILES',
  'too-large': 'SESSION_SIZE_EXCEEDED',
  exists: 'FILE_EXISTS',
  'not-found': 'FILE_NOT_FOUND',
  'used-up': 'DOWNLOADS_USED_UP',
  superseded: 'UPLOAD_LOCKED'
} as const

/** The outcome of a change, unless it is a refusal. */
function accept <Outcome> (outcome: Outcome): Exclude<Outcome, keyof typeof REFUSALS> {
  if (isRefusal(outcome)) throw new LocalSendError(REFUSALS[outcome])
  return outcome as Exclude<Outcome, keyof typeof REFUSALS>
}

const isRefusal = (outcome: unknown): outcome is keyof typeof REFUSALS => typeof outcome === 'string' && outcome in REFUSALS

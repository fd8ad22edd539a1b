import PQueue from 'p-queue'
import { LocalSendError } from '../errors.js'
import type { FileId, SessionId } from '../ids.js'
import type { FileRecords } from '../sessions/file-records.js'
import { endedFiles, findEntry, hasEnded, isUpload, offsetOf, pageOfFiles, type FilePage } from '../sessions/session-files.js'
import type { Caller, Sessions } from '../sessions/sessions.js'
import type { NewFile, OpenUpload, SessionRecord, StoredFile } from '../sessions/session.js'
import { keyOfPart, type BlobKey, type BlobStore } from './blob-store.js'
import type { Quota } from './storage-quota.js'
import type { UploadTurns } from './turns.js'
import type { UploadActivity } from './upload-activity.js'

/** Blobs that are removed at the same time. */
const REMOVALS = 8

/** A participant: who may use files. */
export type Participant = Exclude<Caller, { role: 'pending' }>

interface Dependencies {
  readonly sessions: Sessions
  readonly records: FileRecords
  readonly blobs: BlobStore
  readonly quota: Quota
  readonly turns: UploadTurns
  readonly activity: UploadActivity
  /** Whether other processes work on the same sessions and files. */
  readonly isShared: boolean
  /** Milliseconds since the epoch. */
  readonly clock: () => number
  /** Is told what could not be removed. */
  readonly onError: (error: unknown) => void
}

/** What there is of files in the sessions and on the disk, and how it goes away again. */
export class Files {
  readonly #sessions: Sessions
  readonly #records: FileRecords
  readonly #blobs: BlobStore
  readonly #quota: Quota
  readonly #turns: UploadTurns
  readonly #activity: UploadActivity
  readonly #isShared: boolean
  readonly #clock: () => number
  readonly #onError: (error: unknown) => void

  constructor ({ sessions, records, blobs, quota, turns, activity, isShared, clock, onError }: Dependencies) {
    this.#sessions = sessions
    this.#records = records
    this.#blobs = blobs
    this.#quota = quota
    this.#turns = turns
    this.#activity = activity
    this.#isShared = isShared
    this.#clock = clock
    this.#onError = onError
    sessions.onEnd(async (session) => {
      await this.discard(session.id, [...session.files, ...session.uploads])
      quota.end(session.id)
    })
  }

  /** @throws LocalSendError FILE_NOT_FOUND */
  find (session: SessionRecord, id: FileId): StoredFile | OpenUpload {
    const entry = findEntry(session, id)
    if (entry === undefined || hasEnded(entry, this.#clock())) throw new LocalSendError('FILE_NOT_FOUND')
    return entry
  }

  /** Up to `limit` files and uploads behind the one with the number `after`. */
  page (session: SessionRecord, limit: number, after: number): FilePage {
    return pageOfFiles(session, this.#clock(), limit, after)
  }

  /** @throws LocalSendError FILE_NOT_FOUND, also where it is still being uploaded */
  findWhole (session: SessionRecord, id: FileId): StoredFile {
    const entry = this.find(session, id)
    if (isUpload(entry)) throw new LocalSendError('FILE_NOT_FOUND', { detail: 'One of them is still being uploaded.' })
    return entry
  }

  /**
   * Removes a file, or an upload that is under way, for good. Its uploader and the creator may.
   * @throws LocalSendError FILE_NOT_FOUND, NOT_YOUR_FILE
   */
  async delete ({ session, role, id }: Participant, fileId: FileId): Promise<void> {
    const { uploaderId } = this.find(session, fileId)
    if (role !== 'creator' && uploaderId !== id) throw new LocalSendError('NOT_YOUR_FILE')
    await this.#delete(session.id, fileId)
  }

  /**
   * Notes that a participant has received files.
   * @throws LocalSendError FILE_NOT_FOUND, OWN_FILE; nothing is noted then
   */
  async markReceived ({ session, id }: Participant, fileIds: readonly FileId[]): Promise<void> {
    if (fileIds.some((fileId) => this.find(session, fileId).uploaderId === id)) throw new LocalSendError('OWN_FILE')
    await this.#records.markReceived(session.id, fileIds, id)
  }

  async #delete (sessionId: SessionId, fileId: FileId): Promise<void> {
    const turn = await this.#turns.take(fileId, 'seize')
    try {
      const removed = await this.#records.remove(sessionId, fileId)
      if (removed !== undefined) await this.discard(sessionId, [removed])
    } finally {
      turn.end()
    }
  }

  /** Removes the files whose own time is over. @returns how many */
  async sweep (now: number): Promise<number> {
    let removed = 0
    for (const session of await this.#sessions.withEndedFiles(now)) {
      for (const { id } of endedFiles(session, now)) {
        try {
          await this.#delete(session.id, id)
          removed += 1
        } catch (error) {
          // One that somebody holds on to does not keep the others; the next sweep finds it again.
          this.#onError(error)
        }
      }
    }
    return removed
  }

  /** Counts what living sessions hold. To be called before the first upload. */
  async takeOver (): Promise<void> {
    for await (const session of this.#sessions.all()) {
      for (const entry of [...session.files, ...session.uploads]) this.#quota.restore(session.id, offsetOf(entry))
    }
  }

  /**
   * Removes the blobs that were there before a moment and that no living session claims: what a process left that was killed, or
   * what could not be removed when its time was over.
   * @param before - milliseconds since the epoch; Infinity where this process alone uses the store and writes nothing yet
   * @returns how many there were
   */
  async reclaim (before: number): Promise<number> {
    let removed = 0
    for (const [sessionId, keys] of await this.#blobs.inventory(before)) {
      const session = await this.#sessions.find(sessionId)
      // Where others write, only those of sessions that have ended are certain to be nobody's.
      if (this.#isShared && session !== undefined) continue
      const unclaimed = keys.filter((key) => {
        const entry = session && findEntry(session, key.fileId)
        // The part behind the last one of an upload is the one that a crash left open.
        return entry === undefined || key.part >= entry.parts.length + Number(isUpload(entry))
      })
      await this.#removeAll(unclaimed)
      removed += unclaimed.length
    }
    return removed
  }

  async #removeAll (keys: readonly BlobKey[]): Promise<void> {
    const queue = new PQueue({ concurrency: REMOVALS })
    // To the end of all, also where one fails: nothing goes on behind the answer.
    const removals = await Promise.allSettled(keys.map((key) => queue.add(() => this.#blobs.remove(key))))
    for (const removal of removals) if (removal.status === 'rejected') throw removal.reason
  }

  /**
   * Removes the blobs of files that no record holds any more, which is what their end consists in. So one that cannot be removed
   * fails nobody's request: it stays counted, and {@link reclaim} finds it.
   */
  async discard (sessionId: SessionId, files: ReadonlyArray<NewFile | OpenUpload>): Promise<void> {
    for (const file of files) {
      const { id, parts } = file
      try {
        // One more than there are: an upload may have a part that was never finished.
        await this.#removeAll(Array.from({ length: parts.length + 1 }, (_, part) => keyOfPart(sessionId, file, part)))
        this.#quota.release(sessionId, offsetOf({ parts }))
      } catch (error) {
        this.#onError(error)
      }
      this.#activity.end(id)
    }
  }
}

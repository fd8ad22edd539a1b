import type { Readable } from 'node:stream'
import type { Bytes } from '../crypto/bytes.js'
import type { FileRecords } from '../sessions/file-records.js'
import { isUpload } from '../sessions/session-files.js'
import type { Sessions } from '../sessions/sessions.js'
import type { OpenUpload, StoredFile } from '../sessions/session.js'
import type { BlobStore } from './blob-store.js'
import type { Files, Participant } from './files.js'
import { followUpload } from './follow-upload.js'
import type { Lane, MemoryBudget } from './memory-budget.js'
import { PacedReadable } from './paced-readable.js'
import { readParts } from './read-file.js'
import { begun } from './streams.js'
import type { UploadActivity } from './upload-activity.js'

interface Dependencies {
  readonly sessions: Sessions
  readonly records: FileRecords
  readonly files: Files
  readonly blobs: BlobStore
  readonly budget: MemoryBudget
  readonly activity: UploadActivity
  /** Milliseconds for which an upload that is read along may stand still. */
  readonly patience: number
  /** Told of failures that no caller waits for. */
  readonly onError: (error: unknown) => void
}

/** What of a file is asked for; `end` is `null` while nobody knows how long the file will be. */
export interface Wanted {
  readonly start: number
  readonly end: number | null
}

/** Files of managed sessions, opened while they are read. */
export class Downloads {
  readonly #use: Dependencies

  constructor (dependencies: Dependencies) {
    this.#use = dependencies
  }

  /**
   * Streams a file, or a range of it; of an upload under way what is there, and then what comes. The first chunk has been read
   * and verified when this returns; a later failure destroys the stream. The stream must be read to its end or destroyed.
   *
   * @param client - fires when the client has gone
   * @throws LocalSendError CONTAINER_DAMAGED, DOWNLOADS_USED_UP, FILE_NOT_FOUND, UPLOAD_STALLED, SESSION_CLOSED, SERVER_BUSY, SERVER_STOPPING
   */
  async download ({ session, id }: Participant, entry: StoredFile | OpenUpload, wanted: Wanted, client: AbortSignal): Promise<Readable> {
    const { sessions, records, files, budget, onError } = this.#use
    const transfer = sessions.transfers.begin(session.id, id, client)
    let lane: Lane | undefined
    let giveBack: (() => Promise<void>) | undefined
    let chunks: AsyncGenerator<Bytes, void> | undefined
    let complete = false
    const release = async (): Promise<void> => {
      await chunks?.return()
      lane?.close()
      try {
        if (!complete) await giveBack?.()
      } finally {
        transfer.end()
      }
    }
    try {
      files.find(await sessions.stillIn(session.id, id), entry.id)
      giveBack = await records.reserveDownload(session, entry)
      lane = await budget.admit(transfer.signal)
      transfer.signal.throwIfAborted()
      chunks = this.#open({ session, id }, entry, wanted, lane, transfer.signal)
      const source = await begun(chunks)
      transfer.signal.throwIfAborted()
      const stream = new PacedReadable(source, wanted.end === null ? null : wanted.end - wanted.start, transfer.signal)
      stream.once('end', () => { complete = true })
      stream.once('close', () => { release().catch(onError) })
      return stream
    } catch (error) {
      await release()
      throw transfer.signal.aborted ? transfer.signal.reason : error
    }
  }

  #open ({ session, id }: Pick<Participant, 'session' | 'id'>, entry: StoredFile | OpenUpload, { start, end }: Wanted, lane: Lane, signal: AbortSignal): AsyncGenerator<Bytes, void> {
    const { blobs, sessions, activity, patience } = this.#use
    const source = { blobs, sessionId: session.id, fileId: entry.id, contentKey: session.secrets.contentKey, lane }
    if (!isUpload(entry)) return readParts(source, entry.parts, { start, end: end ?? entry.size })
    return followUpload({ source, activity, look: () => sessions.stillIn(session.id, id), patience, signal }, { start, end })
  }
}

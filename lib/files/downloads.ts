import type { Readable } from 'node:stream'
import type { Bytes } from '../crypto/bytes.js'
import type { FileId, SessionId } from '../ids.js'
import type { FileRecords } from '../sessions/file-records.js'
import { isUpload } from '../sessions/session-files.js'
import { contentKeyOf, type OpenUpload, type StoredFile } from '../sessions/session.js'
import type { BlobStore } from './blob-store.js'
import type { Files, Participant } from './files.js'
import { followUpload } from './follow-upload.js'
import type { Lane } from './memory-budget.js'
import { sendOut, type Outgoing, type OutgoingDependencies } from './outgoing.js'
import { readParts } from './read-file.js'
import type { UploadActivity } from './upload-activity.js'

interface Dependencies extends OutgoingDependencies {
  readonly records: FileRecords
  readonly files: Files
  readonly blobs: BlobStore
  readonly activity: UploadActivity
  /** Milliseconds for which an upload that is read along may stand still. */
  readonly patience: number
  /** Where other processes write: calls back when something changes in a session. Gives what ends that. */
  readonly watch?: ((sessionId: SessionId, onChange: () => void) => Promise<() => void>) | undefined
}

/** What of a file is asked for; `end` is `null` while nobody knows how long the file will be. */
export interface Wanted {
  readonly start: number
  readonly end: number | null
}

/** Files as they are read: of a managed session the plaintext, of an end-to-end one what was stored. */
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
  async download (participant: Participant, entry: StoredFile | OpenUpload, wanted: Wanted, client: AbortSignal): Promise<Readable> {
    const { files, records } = this.#use
    const { stream } = await sendOut(this.#use, participant, client, async (session) => {
      files.find(session, entry.id)
      const giveBack = await records.reserveDownloads(session, [entry])
      return {
        giveBack: () => giveBack([entry]),
        open: (lane, signal) => ({
          length: wanted.end === null ? null : wanted.end - wanted.start,
          pieces: this.#open(participant, entry, wanted, lane, signal)
        })
      }
    })
    return stream
  }

  /**
   * Streams several files one behind the other, for receivers of many small ones. It counts as a download of each; if it breaks,
   * only of those that were sent whole.
   *
   * @param client - fires when the client has gone
   * @throws LocalSendError FILE_NOT_FOUND, also for one that is still being uploaded; CONTAINER_DAMAGED, DOWNLOADS_USED_UP, SESSION_CLOSED, SERVER_BUSY, SERVER_STOPPING
   */
  async downloadMany (participant: Participant, ids: readonly FileId[], client: AbortSignal): Promise<Outgoing> {
    const { files, records, blobs } = this.#use
    return await sendOut(this.#use, participant, client, async (session) => {
      const wanted = ids.map((id) => files.findWhole(session, id))
      const giveBack = await records.reserveDownloads(session, wanted)
      const sent = new Set<StoredFile>()
      async function * inOrder (lane: Lane): AsyncGenerator<Bytes, void> {
        for (const file of wanted) {
          yield * readParts({ blobs, sessionId: session.id, fileId: file.id, fences: file.fences, contentKey: contentKeyOf(session), lane }, file.parts, { start: 0, end: file.size })
          sent.add(file)
        }
      }
      return {
        giveBack: () => giveBack(wanted.filter((file) => !sent.has(file))),
        open: (lane) => ({ length: wanted.reduce((sum, { size }) => sum + size, 0), pieces: inOrder(lane) })
      }
    })
  }

  #open ({ session, id }: Participant, entry: StoredFile | OpenUpload, { start, end }: Wanted, lane: Lane, signal: AbortSignal): AsyncGenerator<Bytes, void> {
    const { blobs, sessions, activity, patience, watch } = this.#use
    const source = { blobs, sessionId: session.id, fileId: entry.id, fences: entry.fences, contentKey: contentKeyOf(session), lane }
    if (!isUpload(entry)) return readParts(source, entry.parts, { start, end: end ?? entry.size })
    return followUpload({ source, activity, look: () => sessions.stillIn(session.id, id), patience, signal, watch: watch && (() => watch(session.id, () => { activity.wake(entry.id) })) }, { start, end })
  }
}

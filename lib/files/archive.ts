import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Bytes } from '../crypto/bytes.js'
import { LocalSendError } from '../errors.js'
import type { FileRecords } from '../sessions/file-records.js'
import { secretsOf, type SessionRecord, type StoredFile } from '../sessions/session.js'
import type { BlobStore } from './blob-store.js'
import type { Participant } from './files.js'
import type { Lane } from './memory-budget.js'
import { distinctNames } from './names.js'
import { sendOut, type Outgoing, type OutgoingDependencies } from './outgoing.js'
import { readParts } from './read-file.js'
import { zip, type Zip } from './zip.js'

interface Dependencies extends OutgoingDependencies {
  readonly records: FileRecords
  readonly blobs: BlobStore
}

/** All files of a managed session in one stream. */
export class Archives {
  readonly #use: Dependencies

  constructor (dependencies: Dependencies) {
    this.#use = dependencies
  }

  /**
   * Streams a zip of all files that are complete. It counts as a download of each; if it breaks, only of those that were sent whole.
   *
   * @param client - fires when the client has gone
   * @throws LocalSendError FILE_NOT_FOUND where there is none, DOWNLOADS_USED_UP, WRONG_KIND, SESSION_CLOSED, SERVER_BUSY, SERVER_STOPPING
   */
  async archive (participant: Participant, client: AbortSignal): Promise<Outgoing> {
    return await sendOut(this.#use, participant, client, async (session) => {
      // Only what this server can open can become an archive.
      secretsOf(session)
      const { files } = session
      if (files.length === 0) throw new LocalSendError('FILE_NOT_FOUND', { detail: 'An archive needs at least one that is complete.' })
      const giveBack = await this.#use.records.reserveDownloads(session, files)
      const sent = new Set<StoredFile>()
      return {
        giveBack: () => giveBack(files.filter((file) => !sent.has(file))),
        open: (lane) => this.#zip(session, lane, (file) => { sent.add(file) })
      }
    })
  }

  async #zip (session: SessionRecord, lane: Lane, onSent: (file: StoredFile) => void): Promise<Zip> {
    const { blobs } = this.#use
    const { id: sessionId, files } = session
    const { contentKey } = secretsOf(session)
    async function * read (file: StoredFile): AsyncGenerator<Bytes, void> {
      yield * readParts({ blobs, sessionId, fileId: file.id, fences: file.fences, contentKey, lane }, file.parts, { start: 0, end: file.size })
      onSent(file)
    }
    // Of thousands of files each of these steps takes a while: others come in between.
    await nextTurn()
    const names = distinctNames(files.map(({ id, name }) => name ?? id))
    await nextTurn()
    return zip(files.map((file, i) => ({ name: names[i] ?? file.id, size: file.size, modifiedAt: file.uploadedAt, open: () => read(file) })))
  }
}

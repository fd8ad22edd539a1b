import type { FileId, SessionId } from '../ids.js'
import type { SessionEvents } from '../sessions/session-events.js'
import type { Role } from '../sessions/session.js'

/** A file that arrives whole or not at all: until it has, no record knows it. */
export interface ArrivingFile {
  readonly sessionId: SessionId
  readonly id: FileId
  /** `null` in an end-to-end session. */
  readonly name: string | null
  /** Bytes; `null` where the sender does not say. */
  readonly size: number | null
  readonly uploadedBy: Role
  /** Bytes that have been stored. */
  readonly offset: number
}

/** What is arriving in this process, for who asks and for those who listen. */
export class ArrivingFiles {
  readonly #events: SessionEvents
  readonly #files = new Map<FileId, ArrivingFile>()

  constructor (events: SessionEvents) {
    this.#events = events
  }

  /** The files that are arriving in a session. */
  of (sessionId: SessionId): readonly ArrivingFile[] {
    return [...this.#files.values()].filter((file) => file.sessionId === sessionId)
  }

  begin (begun: Omit<ArrivingFile, 'offset'>): void {
    this.#files.set(begun.id, { ...begun, offset: 0 })
    this.#events.fileStarted(begun.sessionId, begun)
  }

  advance (id: FileId, offset: number): void {
    const file = this.#files.get(id)
    if (file === undefined) return
    this.#files.set(id, { ...file, offset })
    this.#events.fileProgress(file.sessionId, { id, offset, size: file.size })
  }

  /** To be called on every path: the file is in its record, or nothing of it is left. */
  end (id: FileId, outcome: 'stored' | 'given-up'): void {
    const file = this.#files.get(id)
    this.#files.delete(id)
    if (file !== undefined && outcome === 'given-up') this.#events.fileDeleted(file.sessionId, file)
  }
}

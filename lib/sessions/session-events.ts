import type { FileId, JoinId, SessionId } from '../ids.js'
import type { EndReason, RefusalReason, ServiceEvents } from '../service-events.js'
import type { EventHub, JoinRefusal, SessionEvent } from './events.js'
import { failures, type NewFile, type OpenUpload, type ParticipantId, type Role, type SessionRecord } from './session.js'

/** Milliseconds between two events of one upload's progress. */
const PROGRESS_INTERVAL = 500

/** A file of which nothing may have come yet, as far as those who listen are told of it. */
export type StartedFile = Pick<OpenUpload, 'id' | 'name'> & { readonly size: number | null, readonly uploadedBy: Role }

/** How far an upload has come. */
export interface UploadProgress {
  readonly id: FileId
  readonly offset: number
  readonly size: number | null
}

/** The time after an event of an upload's progress, in which no other is published. */
interface Window {
  readonly timer: NodeJS.Timeout
  latest: UploadProgress | undefined
}

/** What the services tell those who listen to a session, and those who watch the service; what they do never depends on whether anybody does. */
export class SessionEvents {
  readonly #hub: EventHub
  readonly #service: ServiceEvents
  readonly #interval: number
  readonly #windows = new Map<FileId, Window>()

  /** @param interval - milliseconds between two events of one upload's progress */
  constructor (hub: EventHub, service: ServiceEvents, interval = PROGRESS_INTERVAL) {
    this.#hub = hub
    this.#service = service
    this.#interval = interval
  }

  created (session: SessionRecord): void {
    this.#service.tell({ type: 'session.created', ...named(session) })
  }

  joinRequested (session: SessionRecord, joinId: JoinId): void {
    this.#service.tell({ type: 'join.started', ...named(session), joinId })
    this.#publish(session.id, { type: 'join.requested', joinId })
  }

  /** @param step - of the creator, or of the joiner */
  joinWentOn (session: SessionId, joinId: JoinId, step: 'answered' | 'confirmed'): void {
    this.#publish(session, { type: `join.${step}`, joinId })
  }

  joined (session: SessionRecord, joinId: JoinId): void {
    this.#service.tell({ type: 'join.succeeded', ...named(session), joinId })
    this.#publish(session.id, { type: 'join.joined', joinId })
  }

  /** @param joinId - `null` where a wrong code never made it an attempt */
  joinRefused (session: SessionRecord, joinId: JoinId | null, reason: JoinRefusal): void {
    this.#service.tell({ type: 'join.refused', ...named(session), ...attempts(session), joinId, reason })
    this.#publish(session.id, { type: 'join.refused', joinId, reason })
  }

  /** Somebody who was refused whatever he said; participants need not know. */
  turnedAway (session: SessionRecord, reason: Exclude<RefusalReason, JoinRefusal | 'unknown-session'> | 'full'): void {
    this.#service.tell({ type: 'join.refused', ...named(session), ...attempts(session), joinId: null, reason })
  }

  /** Somebody asked for a session that there is not. */
  notFound (sessionId: SessionId): void {
    this.#service.tell({ type: 'join.refused', sessionId, joinId: null, reason: 'unknown-session' })
  }

  locked (session: SessionRecord): void {
    this.#service.tell({ type: 'session.locked', ...named(session), ...attempts(session) })
    this.#publish(session.id, { type: 'session.locked' })
  }

  unlocked (session: SessionRecord): void {
    this.#service.tell({ type: 'session.unlocked', ...named(session) })
  }

  left (session: SessionRecord, participant: ParticipantId): void {
    this.#service.tell({ type: 'participant.left', ...named(session), participant })
    this.#publish(session.id, { type: 'participant.left', participant })
  }

  /** @param now - milliseconds since the epoch */
  ended (session: SessionRecord, reason: EndReason, now: number): void {
    this.#service.tell({ type: 'session.ended', ...named(session), reason, seconds: (now - session.createdAt) / 1000 })
    this.#publish(session.id, { type: 'session.closed' })
  }

  fileStarted (session: SessionId, { id: fileId, name: filename, size, uploadedBy }: StartedFile): void {
    this.#publish(session, { type: 'file.started', fileId, filename, size, uploadedBy })
  }

  /** Published at once if the last one of this upload is long enough ago; otherwise the latest one follows when it is. */
  fileProgress (session: SessionId, progress: UploadProgress): void {
    const window = this.#windows.get(progress.id)
    if (window !== undefined) {
      window.latest = progress
      return
    }
    const { id: fileId, offset, size } = progress
    this.#publish(session, { type: 'file.progress', fileId, offset, size })
    const timer = setTimeout(() => {
      const latest = this.#endWindow(fileId)
      if (latest !== undefined) this.fileProgress(session, latest)
    }, this.#interval).unref()
    this.#windows.set(fileId, { timer, latest: undefined })
  }

  fileReady (session: SessionId, { id: fileId, name: filename, size, sha256, uploadedBy }: NewFile): void {
    this.#endWindow(fileId)
    this.#publish(session, { type: 'file.ready', fileId, filename, size, sha256, uploadedBy })
  }

  fileReceived (session: SessionId, { id: fileId, name: filename }: Pick<NewFile, 'id' | 'name'>, participant: ParticipantId): void {
    this.#publish(session, { type: 'file.received', fileId, filename, participant })
  }

  fileDeleted (session: SessionId, { id: fileId, name: filename }: Pick<OpenUpload, 'id' | 'name'>): void {
    this.#endWindow(fileId)
    this.#publish(session, { type: 'file.deleted', fileId, filename })
  }

  #endWindow (id: FileId): UploadProgress | undefined {
    const window = this.#windows.get(id)
    clearTimeout(window?.timer)
    this.#windows.delete(id)
    return window?.latest
  }

  #publish (session: SessionId, event: SessionEvent): void {
    this.#hub.publish(session, event)
  }
}

const named = ({ id, kind }: SessionRecord) => ({ sessionId: id, kind })

const attempts = (session: SessionRecord) => ({ failedAttempts: failures(session), maxAttempts: session.limits.maxJoinAttempts })

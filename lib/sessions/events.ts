import type { FileId, JoinId, SessionId } from '../ids.js'
import type { ParticipantId, Role } from './session.js'

/** Why a join came to nothing: a wrong code; a wrong password, share or confirmation; the creator's no; no place left; given up undecided. */
export type JoinRefusal = 'code' | 'password' | 'rejected' | 'full' | 'given-up'

/** What happens in a session (protocol local-send/1, section 4). Nothing secret: no token, code, key or password. */
export type SessionEvent =
  | { readonly type: 'join.requested' | 'join.answered' | 'join.confirmed' | 'join.joined', readonly joinId: JoinId }
  | { readonly type: 'join.refused', readonly joinId: JoinId | null, readonly reason: JoinRefusal }
  | { readonly type: 'file.started', readonly fileId: FileId, readonly filename: string | null, readonly size: number | null, readonly uploadedBy: Role }
  | { readonly type: 'file.progress', readonly fileId: FileId, readonly offset: number, readonly size: number | null }
  | { readonly type: 'file.ready', readonly fileId: FileId, readonly filename: string | null, readonly size: number, readonly sha256: string | null, readonly uploadedBy: Role }
  | { readonly type: 'file.received', readonly fileId: FileId, readonly filename: string | null, readonly participant: ParticipantId }
  | { readonly type: 'file.deleted', readonly fileId: FileId, readonly filename: string | null }
  | { readonly type: 'participant.left', readonly participant: ParticipantId }
  | { readonly type: 'session.locked' | 'session.closed' }

/** Is told that a session has ended or, with a participant, that this one has left it. */
export type SessionEnd = (sessionId: SessionId, participant: ParticipantId | undefined) => void

/** An event and the id after which a listener can go on. */
export interface PublishedEvent {
  readonly id: string
  readonly event: SessionEvent
}

/** Whoever listens to a session. Called in order, and must not throw. */
export interface Listener {
  /**
   * Called before any event, and again where a hub that lost its connection has missed some.
   * @param id - what follows comes after the event of this id
   * @param lost - whether events are missing between the id that the listener knew and this one
   */
  onStart (id: string, lost: boolean): void
  onEvent (published: PublishedEvent): void
}

/**
 * Brings events from where they happen to those who listen. Ids grow within a session, and an id of another process, or of a hub
 * that has forgotten it, is never taken for one of its own. An implementation that serves several processes needs nothing more.
 */
export interface EventHub {
  /** Tells all listeners of the session. `session.closed` is the last event: what the hub knows of the session goes with it. */
  publish (sessionId: SessionId, event: SessionEvent): void

  /**
   * Listens to a session from now on; with the id of the last event that was seen, from there, as far back as the hub remembers.
   * @returns what ends it
   */
  subscribe (sessionId: SessionId, lastEventId: string | undefined, listener: Listener): Promise<() => void>
}

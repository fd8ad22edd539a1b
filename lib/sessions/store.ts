import type { SessionId } from '../ids.js'
import type { Changed, SessionRecord } from './session.js'

/**
 * Where session records live. Every store passes the same contract suite (test/sessions/store-contract.ts).
 *
 * Records are values: a store hands out what it holds, and nobody changes one in place.
 */
export interface SessionStore {
  /**
   * Adds a new record. Called by create.
   * @returns `taken` if a record has that id, `full` if the store already holds `maxSessions`; nothing is added then
   */
  add (record: SessionRecord, maxSessions: number): Promise<'added' | 'taken' | 'full'>

  /** The record as it is now, expired or not; `undefined` if there is none. Called by every request. */
  get (id: SessionId): Promise<SessionRecord | undefined>

  /**
   * Applies a change atomically: no other change of this record happens between what `change` reads and what it returns.
   * `change` is pure and may be called more than once.
   * @returns the change's outcome; `undefined` if there is no such record (`change` is not called then)
   */
  update <Outcome> (id: SessionId, change: (record: SessionRecord) => Changed<Outcome>): Promise<{ readonly outcome: Outcome } | undefined>

  /**
   * Removes a record. Whoever gets it back is the one who cleans up behind it: of two callers, one.
   * @returns what was removed
   */
  delete (id: SessionId): Promise<SessionRecord | undefined>

  /** Sets the moment of last use; never sets it back. Without effect on an unknown id. */
  touch (id: SessionId, at: number): Promise<void>

  /** The ids of the sessions that have expired by `now`. Called by the sweeper. */
  expired (now: number): Promise<readonly SessionId[]>

  /** The records of sessions with a file or an upload whose own time is over by `now`. Called by the sweeper. */
  withEndedFiles (now: number): Promise<readonly SessionRecord[]>

  /** All records, expired or not. Called at start, for what has to know which sessions outlived the process before, and for the operator. */
  all (): AsyncIterable<SessionRecord>

  /** The ids of the sessions that end with this process. Called at its end. */
  volatileIds (): Promise<readonly SessionId[]>

  /** Resolves when everything that lasts is written. The store cannot be used any more. Called at the end of the process. */
  close (): Promise<void>
}

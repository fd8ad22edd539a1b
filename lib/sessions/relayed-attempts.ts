/**
 * The changes of an end-to-end session's join attempts once they have begun, as pure functions that a store applies atomically
 * (protocol local-send/1, section 4): pending → answered → confirmed → joined or rejected; without a confirmation, expired.
 */

import type { Bytes } from '../crypto/bytes.js'
import type { JoinId } from '../ids.js'
import { ATTEMPT_LIFETIME, type Acceptance, type Changed, type RelayedAttempt, type SessionRecord } from './session.js'

/** Whether an attempt counts as pending: nobody knows yet what comes of it. */
export const isOpen = ({ status }: RelayedAttempt): boolean => status === 'pending' || status === 'answered' || status === 'confirmed'

/** Milliseconds since the epoch at which an open attempt expires; `null` for one that does not. */
export const expiryOf = ({ status, startedAt }: RelayedAttempt): number | null =>
  status === 'pending' || status === 'answered' ? startedAt + ATTEMPT_LIFETIME : null

/** The attempt as it is now: one that nobody has confirmed in time has expired, whether or not that was written. */
export function attemptAt (attempt: RelayedAttempt, now: number): RelayedAttempt {
  const expiry = expiryOf(attempt)
  return expiry !== null && now >= expiry ? { ...attempt, status: 'expired', endedAt: expiry } : attempt
}

export const findAttempt = ({ relayed }: SessionRecord, id: JoinId, now: number): RelayedAttempt | undefined => {
  const attempt = relayed.find((candidate) => candidate.id === id)
  return attempt && attemptAt(attempt, now)
}

/** Notes which attempts have expired, and forgets those that ended so long ago that whoever wanted to know does. */
export function dropEnded (relayed: readonly RelayedAttempt[], now: number): readonly RelayedAttempt[] {
  const current = relayed.map((attempt) => attemptAt(attempt, now)).filter(({ endedAt }) => endedAt === null || now - endedAt < ATTEMPT_LIFETIME)
  return current.length === relayed.length && current.every((attempt, i) => attempt === relayed[i]) ? relayed : current
}

/** What came of a step: done, or refused since the attempt is unknown or not where the step goes on. */
export type RelayOutcome = 'done' | 'not-found' | 'ended'

/** The creator's share. */
export const answerRelayed = (record: SessionRecord, id: JoinId, creatorShare: Bytes, now: number): Changed<RelayOutcome> =>
  step(record, id, now, 'pending', (attempt) => ({ ...attempt, status: 'answered', creatorShare }))

/** The joiner's confirmation: the only one that the attempt takes. */
export const confirmRelayed = (record: SessionRecord, id: JoinId, joinerConfirmation: Bytes, now: number): Changed<RelayOutcome> =>
  step(record, id, now, 'answered', (attempt) => ({ ...attempt, status: 'confirmed', joinerConfirmation }))

/** Lets the joiner in, if there is still a place; otherwise the attempt ends without counting as a failure. */
export function acceptRelayed (record: SessionRecord, id: JoinId, acceptance: Acceptance, now: number): Changed<RelayOutcome | 'full'> {
  const full = record.joiners.length >= record.limits.maxJoiners
  const { record: changed, outcome } = step(record, id, now, 'confirmed', (attempt) =>
    full ? ended(attempt, 'rejected', now) : { ...attempt, status: 'joined', acceptance })
  const attempt = changed.relayed.find((candidate) => candidate.id === id)
  if (outcome !== 'done' || attempt === undefined) return { record: changed, outcome }
  if (full) return { record: changed, outcome: 'full' }
  const joiner = { id, tokenHash: attempt.tokenHash, joinedAt: now }
  return { record: { ...changed, joiners: [...changed.joiners, joiner] }, outcome }
}

/** Refuses the joiner, and counts that as a failure. */
export function rejectRelayed (record: SessionRecord, id: JoinId, now: number): Changed<RelayOutcome> {
  const attempt = findAttempt(record, id, now)
  if (attempt === undefined) return { record, outcome: 'not-found' }
  if (!isOpen(attempt)) return { record, outcome: 'ended' }
  const rejected = replace(record, ended(attempt, 'rejected', now))
  return { record: { ...rejected, wrongPasswords: rejected.wrongPasswords + 1 }, outcome: 'done' }
}

const ended = (attempt: RelayedAttempt, status: 'rejected', now: number): RelayedAttempt => ({ ...attempt, status, endedAt: now })

function step (record: SessionRecord, id: JoinId, now: number, from: RelayedAttempt['status'], change: (attempt: RelayedAttempt) => RelayedAttempt): Changed<RelayOutcome> {
  const attempt = findAttempt(record, id, now)
  if (attempt === undefined) return { record, outcome: 'not-found' }
  if (attempt.status !== from) return { record, outcome: 'ended' }
  return { record: replace(record, change(attempt)), outcome: 'done' }
}

const replace = (record: SessionRecord, attempt: RelayedAttempt): SessionRecord =>
  ({ ...record, relayed: record.relayed.map((other) => other.id === attempt.id ? attempt : other) })

/**
 * The changes of a session's join attempts, as pure functions that a store applies atomically (protocol local-send/1, section 4
 * "Attempts"). Invariant: failures and open attempts together never exceed `limits.maxJoinAttempts`.
 */

import type { Bytes } from '../crypto/bytes.js'
import type { Share } from '../crypto/spake2.js'
import type { JoinId } from '../ids.js'
import { dropEnded, isOpen } from './relayed-attempts.js'
import { ATTEMPT_LIFETIME, DECISION_LIFETIME, failures, isLocked, type Changed, type Confirmations, type Joiner, type ParticipantId, type PendingAttempt, type RelayedAttempt, type SessionRecord } from './session.js'

/** What a change came to, for those who have to tell of it. */
export interface Noticed<Outcome> {
  readonly outcome: Outcome
  /** As it is after the change. */
  readonly session: SessionRecord
  /** Whether it is this change that locked the session. */
  readonly locks: boolean
}

/** The same change, with what there is to tell of it. */
export const noticing = <Outcome>(change: (record: SessionRecord) => Changed<Outcome>) => (before: SessionRecord): Changed<Noticed<Outcome>> => {
  const { record, outcome } = change(before)
  return { record, outcome: { outcome, session: record, locks: isLocked(record) && !isLocked(before) } }
}

/** Whether a pending attempt has not run out of time. */
export const isPending = ({ state, startedAt }: PendingAttempt, now: number): boolean =>
  now - startedAt < (state === 'answered' ? ATTEMPT_LIFETIME : DECISION_LIFETIME)

/** Gives back the attempts that ended without a confirmation: without one, nothing was guessed, or nobody was told. */
function dropStale (record: SessionRecord, now: number): SessionRecord {
  const pending = record.pending.filter((attempt) => isPending(attempt, now))
  const relayed = dropEnded(record.relayed, now)
  return pending.length === record.pending.length && relayed === record.relayed ? record : { ...record, pending, relayed }
}

/**
 * The attempts whose token still opens them: while nobody knows what comes of one, and for a while after it came to nothing, so
 * that its joiner can learn that. Of one that succeeded, the joiner has the token.
 */
export const attemptsWithToken = ({ pending, relayed }: SessionRecord, now: number): ReadonlyArray<{ readonly id: JoinId, readonly tokenHash: string }> => [
  ...pending.filter(({ startedAt }) => now - startedAt < ATTEMPT_LIFETIME),
  ...dropEnded(relayed, now).filter(({ status }) => status !== 'joined')
]

export interface AttemptRequest {
  readonly id: JoinId
  readonly codeMatches: boolean
  readonly tokenHash: string
  readonly takesShare: boolean
  readonly now: number
}

export type AttemptRefusal = 'locked' | 'busy' | 'wrong-code' | 'full'

export type AttemptOutcome =
  | { readonly result: AttemptRefusal }
  | { readonly result: 'reserved', readonly firstShare: Share | null }

/** Reserves an attempt of a managed session, or counts a wrong code. */
export function reserveAttempt (current: SessionRecord, request: AttemptRequest): Changed<AttemptOutcome> {
  const { record, outcome: refused } = admitAttempt(current, request)
  if (refused !== undefined) return { record, outcome: { result: refused } }
  const attempt: PendingAttempt = { id: request.id, state: 'reserved', startedAt: request.now, tokenHash: request.tokenHash }
  const pending = [...record.pending, attempt]
  const { secrets } = record
  if (secrets === null || !request.takesShare) return { record: { ...record, pending }, outcome: { result: 'reserved', firstShare: null } }
  return { record: { ...record, pending, secrets: { ...secrets, firstShare: null } }, outcome: { result: 'reserved', firstShare: secrets.firstShare } }
}

/** Begins an attempt of an end-to-end session, which the creator is to answer, or counts a wrong code. */
export function relayAttempt (current: SessionRecord, request: Omit<AttemptRequest, 'takesShare'>, joinerShare: Bytes): Changed<AttemptRefusal | 'reserved'> {
  const { record, outcome: refused } = admitAttempt(current, request)
  if (refused !== undefined) return { record, outcome: refused }
  const attempt: RelayedAttempt = { id: request.id, tokenHash: request.tokenHash, status: 'pending', startedAt: request.now, endedAt: null, joinerShare }
  return { record: { ...record, relayed: [...record.relayed, attempt] }, outcome: 'reserved' }
}

/** Whether there may be one more attempt; counts a wrong code. */
function admitAttempt (current: SessionRecord, { codeMatches, now }: Pick<AttemptRequest, 'codeMatches' | 'now'>): Changed<AttemptRefusal | undefined> {
  const record = dropStale(current, now)
  const open = record.pending.length + record.relayed.filter(isOpen).length
  if (isLocked(record)) return { record, outcome: 'locked' }
  if (failures(record) + open >= record.limits.maxJoinAttempts) return { record, outcome: 'busy' }
  if (!codeMatches) return { record: { ...record, wrongCodes: record.wrongCodes + 1 }, outcome: 'wrong-code' }
  if (record.joiners.length >= record.limits.maxJoiners) return { record, outcome: 'full' }
  return { record, outcome: undefined }
}

const without = (record: SessionRecord, id: JoinId): SessionRecord =>
  ({ ...record, pending: record.pending.filter((attempt) => attempt.id !== id) })

const pendingAttempt = (record: SessionRecord, id: JoinId): PendingAttempt | undefined =>
  record.pending.find((attempt) => attempt.id === id)

/** Ends an attempt that guessed nothing. */
export const giveBackAttempt = (record: SessionRecord, id: JoinId): Changed<undefined> =>
  ({ record: without(record, id), outcome: undefined })

/**
 * Ends an attempt as a failure. The outcome is whether it was there: one that was given back meanwhile does not count, and nobody may
 * learn what came of it.
 */
export function failAttempt (record: SessionRecord, id: JoinId): Changed<boolean> {
  if (pendingAttempt(record, id) === undefined) return { record, outcome: false }
  return { record: { ...without(record, id), wrongPasswords: record.wrongPasswords + 1 }, outcome: true }
}

/** Keeps both confirmations of a reserved attempt; `false` if it has been given back meanwhile. */
export function answerAttempt (record: SessionRecord, id: JoinId, confirmations: Confirmations): Changed<boolean> {
  const attempt = pendingAttempt(record, id)
  if (attempt?.state !== 'reserved') return { record, outcome: false }
  const answered: PendingAttempt = { ...attempt, state: 'answered', confirmations }
  return { record: { ...record, pending: record.pending.map((other) => other.id === id ? answered : other) }, outcome: true }
}

/** Takes the one confirmation that an answered attempt is allowed; `undefined` if it is not waiting for one. */
export function takeConfirmation (current: SessionRecord, id: JoinId, now: number): Changed<Confirmations | undefined> {
  const record = dropStale(current, now)
  const attempt = pendingAttempt(record, id)
  if (attempt?.state !== 'answered' || attempt.confirmations === undefined) return { record, outcome: undefined }
  const { confirmations, ...rest } = attempt
  const confirming: PendingAttempt = { ...rest, state: 'confirming' }
  return { record: { ...record, pending: record.pending.map((other) => other.id === id ? confirming : other) }, outcome: confirmations }
}

/** Makes the joiner of a successful attempt a participant, if there is still a place. */
export function admitJoiner (record: SessionRecord, id: JoinId, now: number): Changed<'joined' | 'full' | 'gone'> {
  const attempt = pendingAttempt(record, id)
  if (attempt === undefined) return { record, outcome: 'gone' }
  const rest = without(record, id)
  if (record.joiners.length >= record.limits.maxJoiners) return { record: rest, outcome: 'full' }
  const joiner: Joiner = { id, tokenHash: attempt.tokenHash, joinedAt: now }
  return { record: { ...rest, joiners: [...record.joiners, joiner] }, outcome: 'joined' }
}

/** Gives the session a new code and forgives wrong ones; it stays locked where the failures behind a right code suffice. */
export function unlock (record: SessionRecord, verificationCode: string): Changed<'unlocked' | 'locked'> {
  const unlocked = { ...record, wrongCodes: 0, verificationCode }
  return isLocked(unlocked) ? { record, outcome: 'locked' } : { record: unlocked, outcome: 'unlocked' }
}

/** Takes a participant's token away. The place of a joiner who left is free again. */
export const leave = (record: SessionRecord, id: ParticipantId): Changed<undefined> => ({
  record: id === 'creator'
    ? { ...record, creatorTokenHash: null }
    : { ...record, joiners: record.joiners.filter((joiner) => joiner.id !== id), relayed: record.relayed.filter((attempt) => attempt.id !== id) },
  outcome: undefined
})

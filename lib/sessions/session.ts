/**
 * The record of a session and every change of its state, as pure functions (protocol local-send/1, section 4 "Attempts").
 *
 * A store applies one of these changes atomically; whether it succeeded is in the outcome, so that a change which also
 * counts a failure is kept. Invariant: failures and pending attempts together never exceed `limits.maxJoinAttempts`.
 */

import type { Bytes } from '../crypto/bytes.js'
import type { PasswordElement, SessionKind, Share } from '../crypto/spake2.js'
import type { FileId, JoinId, SessionId } from '../ids.js'

/** Milliseconds without a confirmation after which an attempt is given back. */
export const ATTEMPT_LIFETIME = 60_000

export type Role = 'creator' | 'joiner'

export interface SessionLimits {
  readonly maxFileSize: number
  readonly maxSessionSize: number
  readonly maxFiles: number
  readonly maxJoiners: number
  readonly maxJoinAttempts: number
  /** How often each file may be downloaded; `null`: any number of times. */
  readonly maxDownloads: number | null
}

export interface Joiner {
  readonly id: JoinId
  readonly tokenHash: string
  readonly joinedAt: number
}

/**
 * A join attempt that has passed the verification code. `reserved`: the password is being checked, or the share computed;
 * `answered`: the joiner has our share and owes a confirmation; `confirming`: it came. Only an answered one is given back for
 * its age: the two others may hold a guess already, and whoever decides them ends them.
 */
export interface PendingAttempt {
  readonly id: JoinId
  readonly state: 'reserved' | 'answered' | 'confirming'
  readonly startedAt: number
  readonly tokenHash: string
  readonly confirmations?: Confirmations
}

/** Both SPAKE2 confirmations of an answered attempt: the one the joiner owes, the one the server gives in return. */
export interface Confirmations {
  readonly expected: Bytes
  readonly own: Bytes
}

/** What a file has whether or not all of it has arrived. */
export interface FileEntry {
  readonly id: FileId
  /** Place in the list; counts from 1 and is not given out again when a file is deleted, so that pages continue behind it. */
  readonly number: number
  readonly name: string
  readonly uploadedBy: Role
  /** Who uploaded it: `creator`, or the joiner's id. */
  readonly uploaderId: ParticipantId
  /** When it began. */
  readonly uploadedAt: number
  /** Plaintext bytes of each container that the file consists of, in order. */
  readonly parts: readonly number[]
  /** Downloads that are complete or under way; they count against `maxDownloads`. */
  readonly downloads: number
  /** How often it may be downloaded; `null`: as often as the session's files may. */
  readonly maxDownloads: number | null
  /** When it is removed; `null`: with its session. */
  readonly endsAt: number | null
  /** The Upload-Metadata of a tus upload, which its client may ask back; `null` without one. */
  readonly uploadMetadata: string | null
}

/** A file that is whole. */
export interface StoredFile extends FileEntry {
  readonly contentType: string
  /** Bytes of plaintext. */
  readonly size: number
  /** Lowercase hex. */
  readonly sha256: string
  /** Who has said that he has it; nothing while nobody has. */
  readonly receivedBy?: readonly ParticipantId[]
}

/** A file of which more may come: an upload that can be resumed. */
export interface OpenUpload extends FileEntry {
  /** What the sender says the media type is. */
  readonly declaredType: string
  /** Bytes of the whole file; `null` while the sender does not know. */
  readonly length: number | null
  /** What the sender says the SHA-256 is: lowercase hex. */
  readonly expectedSha256: string | null
  /** The part that a crash must leave nothing of: its piece has a checksum, and is kept whole or not at all; `null` without one. */
  readonly guardedPart: number | null
}

/** A file that has no place in the list yet. */
export type NewFile = Omit<StoredFile, 'number'>
/** An upload that has no place in the list yet. */
export type NewUpload = Omit<OpenUpload, 'number'>

export type ParticipantId = JoinId | 'creator'

export interface SessionSecrets {
  readonly contentKey: Bytes
  readonly element: PasswordElement
  /** The responder's share that create announced; the first attempt with a share takes it. */
  readonly firstShare: Share | null
}

export interface SessionRecord {
  readonly id: SessionId
  readonly kind: SessionKind
  readonly createdAt: number
  /** The last request or transferred byte. */
  readonly lastUsedAt: number
  readonly idleTimeout: number
  /** The end that nothing postpones. */
  readonly endsAt: number
  readonly verificationCode: string
  readonly limits: SessionLimits
  /** `null` once the creator has left. */
  readonly creatorTokenHash: string | null
  readonly joiners: readonly Joiner[]
  readonly pending: readonly PendingAttempt[]
  /** Failures by a wrong code: forgiven by an unlock. */
  readonly wrongCodes: number
  /** Failures behind a right code (password, share, confirmation): never forgiven. */
  readonly wrongPasswords: number
  readonly files: readonly StoredFile[]
  readonly uploads: readonly OpenUpload[]
  /** How many files and uploads there have ever been: the last `number`. */
  readonly filesAdded: number
  readonly secrets: SessionSecrets
}

export const isParticipant = ({ creatorTokenHash, joiners }: SessionRecord, id: ParticipantId): boolean =>
  id === 'creator' ? creatorTokenHash !== null : joiners.some((joiner) => joiner.id === id)

/** A change of a record, and what came of it. */
export interface Changed<Outcome> {
  readonly record: SessionRecord
  readonly outcome: Outcome
}

/** Milliseconds since the epoch at which the session ends if nothing more happens. */
export const expiresAt = (record: SessionRecord): number =>
  Math.min(record.endsAt, record.lastUsedAt + record.idleTimeout)

export const isExpired = (record: SessionRecord, now: number): boolean => now >= expiresAt(record)

const failures = (record: SessionRecord): number => record.wrongCodes + record.wrongPasswords

export const isLocked = (record: SessionRecord): boolean => failures(record) >= record.limits.maxJoinAttempts

export const statusOf = (record: SessionRecord): 'created' | 'joined' | 'locked' =>
  isLocked(record) ? 'locked' : record.joiners.length > 0 ? 'joined' : 'created'

/** The same change, and whether it is the one that locked the session. */
export const noticingLock = <Outcome>(change: (record: SessionRecord) => Changed<Outcome>) => (before: SessionRecord): Changed<{ readonly outcome: Outcome, readonly locks: boolean }> => {
  const { record, outcome } = change(before)
  return { record, outcome: { outcome, locks: isLocked(record) && !isLocked(before) } }
}

/** Gives back the attempts that ended without a confirmation: without one, nothing was guessed. */
function dropStale (record: SessionRecord, now: number): SessionRecord {
  const pending = record.pending.filter(({ state, startedAt }) => state !== 'answered' || now - startedAt < ATTEMPT_LIFETIME)
  return pending.length === record.pending.length ? record : { ...record, pending }
}

export interface AttemptRequest {
  readonly id: JoinId
  readonly codeMatches: boolean
  readonly tokenHash: string
  readonly takesShare: boolean
  readonly now: number
}

export type AttemptOutcome =
  | { readonly result: 'locked' | 'busy' | 'wrong-code' | 'full' }
  | { readonly result: 'reserved', readonly firstShare: Share | null }

/** Reserves an attempt, or counts a wrong code. */
export function reserveAttempt (current: SessionRecord, request: AttemptRequest): Changed<AttemptOutcome> {
  const record = dropStale(current, request.now)
  if (isLocked(record)) return { record, outcome: { result: 'locked' } }
  if (failures(record) + record.pending.length >= record.limits.maxJoinAttempts) return { record, outcome: { result: 'busy' } }
  if (!request.codeMatches) {
    return { record: { ...record, wrongCodes: record.wrongCodes + 1 }, outcome: { result: 'wrong-code' } }
  }
  if (record.joiners.length >= record.limits.maxJoiners) return { record, outcome: { result: 'full' } }
  const attempt: PendingAttempt = { id: request.id, state: 'reserved', startedAt: request.now, tokenHash: request.tokenHash }
  const firstShare = request.takesShare ? record.secrets.firstShare : null
  const secrets = request.takesShare ? { ...record.secrets, firstShare: null } : record.secrets
  return { record: { ...record, secrets, pending: [...record.pending, attempt] }, outcome: { result: 'reserved', firstShare } }
}

const without = (record: SessionRecord, id: JoinId): SessionRecord =>
  ({ ...record, pending: record.pending.filter((attempt) => attempt.id !== id) })

const pendingAttempt = (record: SessionRecord, id: JoinId): PendingAttempt | undefined =>
  record.pending.find((attempt) => attempt.id === id)

/** Ends an attempt that guessed nothing. */
export const giveBackAttempt = (record: SessionRecord, id: JoinId): Changed<undefined> =>
  ({ record: without(record, id), outcome: undefined })

/** Ends an attempt as a failure. It counts even if the attempt is gone: the guess was made. */
export const failAttempt = (record: SessionRecord, id: JoinId): Changed<undefined> =>
  ({ record: { ...without(record, id), wrongPasswords: record.wrongPasswords + 1 }, outcome: undefined })

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
    : { ...record, joiners: record.joiners.filter((joiner) => joiner.id !== id) },
  outcome: undefined
})

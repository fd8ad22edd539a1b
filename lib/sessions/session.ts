/**
 * The record of a session. What changes it are pure functions (join-attempts.ts, relayed-attempts.ts, session-files.ts), which a
 * store applies atomically; whether a change succeeded is in its outcome, so that one which also counts a failure is kept.
 */

import type { Bytes } from '../crypto/bytes.js'
import type { PasswordElement, SessionKind, Share } from '../crypto/spake2.js'
import { LocalSendError } from '../errors.js'
import type { FileId, JoinId, SessionId } from '../ids.js'

/** Milliseconds without a confirmation after which an attempt is given back. */
export const ATTEMPT_LIFETIME = 60_000
/** Milliseconds after which an attempt that is still being decided is given back: the process that did so has died, or what it says comes too late. */
export const DECISION_LIFETIME = 2 * ATTEMPT_LIFETIME

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
 * `answered`: the joiner has our share and owes a confirmation; `confirming`: it came. The two others may hold a guess already, and
 * whoever decides them ends them; where that process died, its time does, and nobody has been told anything.
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

/**
 * How far an attempt of an end-to-end session has come, as both sides are told. The first three are open: they count as pending.
 * Of those, `confirmed` may hold a guess, and only the creator ends it; the two others expire.
 */
export type RelayStatus = 'pending' | 'answered' | 'confirmed' | 'joined' | 'rejected' | 'expired'

/** A join attempt of an end-to-end session: what joiner and creator have to say to each other. The server understands none of it. */
export interface RelayedAttempt {
  readonly id: JoinId
  readonly tokenHash: string
  readonly status: RelayStatus
  readonly startedAt: number
  /** When it was rejected or expired; `null` before, and of one that succeeded. */
  readonly endedAt: number | null
  /** pA */
  readonly joinerShare: Bytes
  /** pB */
  readonly creatorShare?: Bytes
  /** cA */
  readonly joinerConfirmation?: Bytes
  /** cB, and the content key for the joiner alone; he may ask again. */
  readonly acceptance?: Acceptance
}

/** What a creator lets a joiner in with. */
export interface Acceptance {
  readonly confirmation: Bytes
  readonly wrappedKey: Bytes
}

/** What a file has whether or not all of it has arrived. */
export interface FileEntry {
  readonly id: FileId
  /** Place in the list; counts from 1 and is not given out again when a file is deleted, so that pages continue behind it. */
  readonly number: number
  /** `null` in an end-to-end session: its participants alone know. */
  readonly name: string | null
  readonly uploadedBy: Role
  /** Who uploaded it: `creator`, or the joiner's id. */
  readonly uploaderId: ParticipantId
  /** When it began. */
  readonly uploadedAt: number
  /** Bytes of each part that the file is stored in, in order: of its plaintext, in an end-to-end session of the one container. */
  readonly parts: readonly number[]
  /** Where several processes write: what the blob of each part is told apart by from those of other writers. */
  readonly fences?: readonly string[]
  /** Downloads that are complete or under way; they count against `maxDownloads`. */
  readonly downloads: number
  /** How often it may be downloaded; `null`: as often as the session's files may. */
  readonly maxDownloads: number | null
  /** When it is removed; `null`: with its session. */
  readonly endsAt: number | null
  /** The Upload-Metadata of a tus upload, which its client may ask back; `null` without one. */
  readonly uploadMetadata: string | null
  /** What its sender says of it, sealed for the other participants: base64url; `null` in a managed session. */
  readonly sealedMetadata: string | null
  /** Who has said that he has it; nothing while nobody has. Of one that is still being uploaded somebody may have got all from its sender himself. */
  readonly receivedBy?: readonly ParticipantId[]
}

/** A file that is whole. */
export interface StoredFile extends FileEntry {
  readonly contentType: string
  /** Bytes: of the plaintext, in an end-to-end session of the container. */
  readonly size: number
  /** Lowercase hex; `null` in an end-to-end session. */
  readonly sha256: string | null
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
  /** Where several processes write: counts who has taken this upload over. What an earlier one wants to change is refused. */
  readonly turn?: number
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
  /** The attempts of an end-to-end session, some of which have ended. */
  readonly relayed: readonly RelayedAttempt[]
  /** Failures by a wrong code: forgiven by an unlock. */
  readonly wrongCodes: number
  /** Failures behind a right code (password, share, confirmation): never forgiven. */
  readonly wrongPasswords: number
  readonly files: readonly StoredFile[]
  readonly uploads: readonly OpenUpload[]
  /** How many files and uploads there have ever been: the last `number`. */
  readonly filesAdded: number
  /** `null` in an end-to-end session: the server has none. */
  readonly secrets: SessionSecrets | null
}

/** The secrets of a managed session, for what only those have: throws WRONG_KIND in an end-to-end one. */
export function secretsOf ({ secrets }: SessionRecord): SessionSecrets {
  if (secrets === null) throw new LocalSendError('WRONG_KIND')
  return secrets
}

/** What the files of a session are sealed under here; `null` in an end-to-end one: they come sealed. */
export const contentKeyOf = ({ secrets }: SessionRecord): Bytes | null => secrets?.contentKey ?? null

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

export const failures = (record: SessionRecord): number => record.wrongCodes + record.wrongPasswords

export const isLocked = (record: SessionRecord): boolean => failures(record) >= record.limits.maxJoinAttempts

export const statusOf = (record: SessionRecord): 'created' | 'joined' | 'locked' =>
  isLocked(record) ? 'locked' : record.joiners.length > 0 ? 'joined' : 'created'

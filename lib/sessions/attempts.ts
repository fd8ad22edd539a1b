import type { Bytes } from '../crypto/bytes.js'
import type { JoinId } from '../ids.js'
import { isPending } from './join-attempts.js'
import { dropEnded, expiryOf } from './relayed-attempts.js'
import { ATTEMPT_LIFETIME, type PendingAttempt, type RelayStatus, type SessionRecord } from './session.js'

/** What one side has said in an attempt. */
export interface Said {
  readonly share: Bytes | undefined
  readonly confirmation: Bytes | undefined
}

/** A join attempt, of whichever kind its session is, for those who may see it. */
export interface Attempt {
  readonly id: JoinId
  readonly status: RelayStatus
  /** Milliseconds since the epoch at which it expires; `null` if it does not. */
  readonly expiresAt: number | null
  readonly byJoiner: Said
  readonly byCreator: Said & { readonly wrappedKey: Bytes | undefined }
}

const NOTHING_SAID = { share: undefined, confirmation: undefined, wrappedKey: undefined }

/** As the one who joins sees it: the server decides on a confirmation within the request that brings it. */
const STATUS: Readonly<Record<PendingAttempt['state'], RelayStatus>> = { reserved: 'pending', answered: 'answered', confirming: 'confirmed' }

/** All attempts of a session that are open, have succeeded, or ended otherwise a short while ago. Those of a managed session are forgotten when they end. */
export const attemptsOf = ({ kind, pending, joiners, relayed }: SessionRecord, now: number): readonly Attempt[] => [
  ...pending.filter((attempt) => isPending(attempt, now)).map(({ id, state, startedAt }) => ({
    id, status: STATUS[state], expiresAt: startedAt + ATTEMPT_LIFETIME, byJoiner: NOTHING_SAID, byCreator: NOTHING_SAID
  })),
  ...(kind === 'managed' ? joiners : []).map(({ id }) => ({ id, status: 'joined' as const, expiresAt: null, byJoiner: NOTHING_SAID, byCreator: NOTHING_SAID })),
  ...dropEnded(relayed, now).map((attempt) => ({
    id: attempt.id,
    status: attempt.status,
    expiresAt: expiryOf(attempt),
    byJoiner: { share: attempt.joinerShare, confirmation: attempt.joinerConfirmation },
    byCreator: { share: attempt.creatorShare, confirmation: attempt.acceptance?.confirmation, wrappedKey: attempt.acceptance?.wrappedKey }
  }))
]

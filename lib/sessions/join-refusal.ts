import { LocalSendError } from '../errors.js'
import type { AttemptRefusal } from './join-attempts.js'
import type { SessionEvents } from './session-events.js'
import { ATTEMPT_LIFETIME, type SessionRecord } from './session.js'

/** Seconds after which an attempt that blocks others is certainly over. */
const PENDING_RETRY = ATTEMPT_LIFETIME / 1000

/** Tells of a join that never became an attempt. @returns what its caller learns */
export function tellRefusal (events: SessionEvents, refusal: AttemptRefusal, { session, locks }: { readonly session: SessionRecord, readonly locks: boolean }): LocalSendError {
  if (refusal === 'wrong-code') events.joinRefused(session, null, 'code')
  else events.turnedAway(session, refusal)
  if (locks) events.locked(session)
  switch (refusal) {
    case 'locked': return new LocalSendError('SESSION_LOCKED')
    case 'busy': return new LocalSendError('ATTEMPTS_PENDING', { retryAfter: PENDING_RETRY })
    case 'wrong-code': return new LocalSendError('JOIN_REFUSED')
    case 'full': return new LocalSendError('SESSION_FULL')
  }
}

import { LocalSendError } from '../errors.js'
import type { AttemptRefusal } from './join-attempts.js'
import { ATTEMPT_LIFETIME } from './session.js'

/** Seconds after which an attempt that blocks others is certainly over. */
const PENDING_RETRY = ATTEMPT_LIFETIME / 1000

/** What the caller learns of a join that never became an attempt. */
export function refusalOf (refusal: AttemptRefusal): LocalSendError {
  switch (refusal) {
    case 'locked': return new LocalSendError('SESSION_LOCKED')
    case 'busy': return new LocalSendError('ATTEMPTS_PENDING', { retryAfter: PENDING_RETRY })
    case 'wrong-code': return new LocalSendError('JOIN_REFUSED')
    case 'full': return new LocalSendError('SESSION_FULL')
  }
}

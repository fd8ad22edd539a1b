/**
 * What happens in the service, for those who watch it from outside: metrics, the audit log, the webhook. What participants are told
 * is another thing (sessions/events.ts). Nothing secret: no token, code, key, password, or name of a file.
 */

import type { SessionKind } from './crypto/spake2.js'
import type { JoinId, SessionId } from './ids.js'
import type { JoinRefusal } from './sessions/events.js'
import type { ParticipantId } from './sessions/session.js'

/** Why a session ended: its creator closed it; its time was over; the operator closed it; the process ended, and its key with it. */
export type EndReason = 'closed' | 'expired' | 'revoked' | 'stopped'

/** Beyond what participants are told: the session was locked already, had too many attempts under way, or there is none of this id. */
export type RefusalReason = JoinRefusal | 'locked' | 'busy' | 'unknown-session'

export type Direction = 'upload' | 'download'

/** `interrupted`: by its client, its session or the server's stop; `failed`: for any other reason, refusals included. */
export type TransferOutcome = 'completed' | 'interrupted' | 'failed'

/** What an operator's tokens open. */
export type OperatorArea = 'admin' | 'metrics'

interface Concerned {
  readonly sessionId: SessionId
  readonly kind: SessionKind
}

/** Failed join attempts that count, and how many lock the session. */
interface Attempts {
  readonly failedAttempts: number
  readonly maxAttempts: number
}

export type ServiceEvent =
  | Concerned & { readonly type: 'session.created' | 'session.unlocked' }
  | Concerned & Attempts & { readonly type: 'session.locked' }
  | Concerned & { readonly type: 'session.ended', readonly reason: EndReason, /** Since it was created. */ readonly seconds: number }
  | Concerned & { readonly type: 'join.started' | 'join.succeeded', readonly joinId: JoinId }
  | Concerned & Attempts & { readonly type: 'join.refused', /** `null` where it never became an attempt. */ readonly joinId: JoinId | null, readonly reason: Exclude<RefusalReason, 'unknown-session'> }
  | { readonly type: 'join.refused', readonly sessionId: SessionId, readonly joinId: null, readonly reason: 'unknown-session' }
  | Concerned & { readonly type: 'participant.left', readonly participant: ParticipantId }
  | { readonly type: 'transfer.ended', readonly direction: Direction, readonly outcome: TransferOutcome, readonly bytes: number, readonly seconds: number }
  | { readonly type: 'sweep.ended', readonly outcome: 'completed' | 'failed', readonly seconds: number }
  | { readonly type: 'files.expired', readonly files: number }
  | { readonly type: 'store.failed', readonly store: 'records' | 'files' }
  | { readonly type: 'webhook.settled', readonly outcome: 'delivered' | 'failed' | 'dropped' }
  | { readonly type: 'operator.refused', readonly area: OperatorArea }
  | { readonly type: 'drain.began' | 'drain.ended' }

/** Called where it happens, in order; must neither throw nor wait. */
export type ServiceListener = (event: ServiceEvent) => void

/** Where services tell, and observers listen. What services do never depends on whether anybody does. */
export class ServiceEvents {
  readonly #listeners: ServiceListener[] = []

  listen (listener: ServiceListener): void {
    this.#listeners.push(listener)
  }

  tell (event: ServiceEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

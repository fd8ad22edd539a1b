import { setTimeout as delay } from 'node:timers/promises'
import { isLocalSendError, LocalSendError, type ErrorCode } from '../errors.js'
import type { SessionId } from '../ids.js'
import type { Direction, ServiceEvents, TransferOutcome } from '../service-events.js'
import type { ParticipantId } from './session.js'

/** One upload or download under way. */
export interface Transfer {
  readonly sessionId: SessionId
  /** Fires once, whatever ends the transfer early: its session, its participant, its client, the server, or itself. */
  readonly signal: AbortSignal
  /** Ends the transfer early; the first reason counts. */
  readonly abort: (reason: unknown) => void
  /** Counts bytes that have come or gone. */
  readonly count: (bytes: number) => void
  /** To be called on every path when the transfer has released all it held, with what ended it unless it came to its end. */
  readonly end: (failure?: unknown) => void
}

interface Running extends Transfer {
  readonly direction: Direction
  readonly participantId: ParticipantId
}

/** What ends a transfer that nothing is wrong with. */
const INTERRUPTIONS: readonly ErrorCode[] = ['UPLOAD_INCOMPLETE', 'UPLOAD_STALLED', 'UPLOAD_LOCKED', 'SESSION_CLOSED', 'SERVER_STOPPING']

/** The transfers of this process: what keeps a session alive, and what its end has to stop. */
export class Transfers {
  readonly #running = new Set<Running>()
  readonly #idle = new Set<() => void>()
  readonly #service: ServiceEvents
  readonly #moved = { upload: 0, download: 0 }
  #stopping = false

  constructor (service: ServiceEvents) {
    this.#service = service
  }

  /**
   * Registers a transfer.
   * @param client - fires when the client has gone
   * @throws LocalSendError SERVER_STOPPING
   */
  begin (direction: Direction, sessionId: SessionId, participantId: ParticipantId, client: AbortSignal): Transfer {
    if (this.#stopping) throw new LocalSendError('SERVER_STOPPING', { retryAfter: 5 })
    const controller = new AbortController()
    const begunAt = performance.now()
    let moved = 0
    const running: Running = {
      direction,
      sessionId,
      participantId,
      signal: AbortSignal.any([controller.signal, client]),
      abort: (reason) => { controller.abort(reason) },
      count: (bytes) => {
        moved += bytes
        this.#moved[direction] += bytes
      },
      end: (failure) => {
        if (!this.#running.delete(running)) return
        this.#service.tell({ type: 'transfer.ended', direction, outcome: outcomeOf(failure), bytes: moved, seconds: (performance.now() - begunAt) / 1000 })
        if (this.#running.size === 0) for (const idle of this.#idle) idle()
      }
    }
    this.#running.add(running)
    return running
  }

  /** The sessions that have a transfer under way; one may be named several times. */
  * sessions (): Generator<SessionId> {
    for (const { sessionId } of this.#running) yield sessionId
  }

  get size (): number {
    return this.#running.size
  }

  /** Transfers under way, in one direction or of one session. */
  active ({ direction, sessionId }: { readonly direction?: Direction, readonly sessionId?: SessionId }): number {
    return [...this.#running].filter((transfer) => (direction ?? transfer.direction) === transfer.direction && (sessionId ?? transfer.sessionId) === transfer.sessionId).length
  }

  /** Bytes that have come, or gone, since the start: of a managed session the plaintext, of an end-to-end one what is stored. */
  moved (direction: Direction): number {
    return this.#moved[direction]
  }

  /** Aborts the transfers of a session, or only those of one of its participants. */
  abort (sessionId: SessionId, participantId?: ParticipantId): void {
    for (const transfer of this.#running) {
      const concerned = transfer.sessionId === sessionId && (participantId === undefined || transfer.participantId === participantId)
      if (concerned) transfer.abort(new LocalSendError('SESSION_CLOSED'))
    }
  }

  /**
   * Refuses new transfers, aborts those under way and waits until each has cleaned up behind itself.
   * @param grace - milliseconds that those under way have to end by themselves
   */
  async stop (grace = 0): Promise<void> {
    this.#stopping = true
    if (grace > 0) await Promise.race([this.#allEnded(), delay(grace, undefined, { ref: false })])
    for (const transfer of this.#running) transfer.abort(new LocalSendError('SERVER_STOPPING', { retryAfter: 5 }))
    await this.#allEnded()
  }

  async #allEnded (): Promise<void> {
    if (this.#running.size > 0) await new Promise<void>((resolve) => { this.#idle.add(resolve) })
  }
}

function outcomeOf (failure: unknown): TransferOutcome {
  if (failure === undefined) return 'completed'
  return INTERRUPTIONS.some((code) => isLocalSendError(failure, code)) ? 'interrupted' : 'failed'
}

import { setTimeout as delay } from 'node:timers/promises'
import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'
import type { ParticipantId } from './session.js'

/** One upload or download under way. */
export interface Transfer {
  /** Fires once, whatever ends the transfer early: its session, its participant, its client, the server, or itself. */
  readonly signal: AbortSignal
  /** Ends the transfer early; the first reason counts. */
  readonly abort: (reason: unknown) => void
  /** To be called on every path when the transfer has released all it held. */
  readonly end: () => void
}

interface Running extends Transfer {
  readonly sessionId: SessionId
  readonly participantId: ParticipantId
}

/** The transfers of this process: what keeps a session alive, and what its end has to stop. */
export class Transfers {
  readonly #running = new Set<Running>()
  readonly #idle = new Set<() => void>()
  #stopping = false

  /**
   * Registers a transfer.
   * @param client - fires when the client has gone
   * @throws LocalSendError SERVER_STOPPING
   */
  begin (sessionId: SessionId, participantId: ParticipantId, client: AbortSignal): Transfer {
    if (this.#stopping) throw new LocalSendError('SERVER_STOPPING', { retryAfter: 5 })
    const controller = new AbortController()
    const running: Running = {
      sessionId,
      participantId,
      signal: AbortSignal.any([controller.signal, client]),
      abort: (reason) => { controller.abort(reason) },
      end: () => {
        this.#running.delete(running)
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

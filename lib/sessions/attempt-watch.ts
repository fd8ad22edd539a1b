import { LocalSendError } from '../errors.js'
import type { JoinId, SessionId } from '../ids.js'
import type { EventHub, SessionEvent } from './events.js'
import { attemptsOf, type Attempt } from './attempts.js'
import type { ParticipantId } from './session.js'
import type { Sessions } from './sessions.js'

/** Polls that one caller may have open at one time. */
const MAX_POLLS = 10

/** What is asked of an attempt. */
export interface AttemptQuery {
  readonly joinId: JoinId
  /** The status that the caller knows: the answer waits for another one. */
  readonly after: Attempt['status'] | undefined
  /** Milliseconds for which it waits at most. */
  readonly patience: number
}

interface Poll {
  readonly sessionId: SessionId
  readonly caller: ParticipantId
  readonly end: () => void
}

/** How far the attempts of a session have come, for those who ask, and who would rather be answered when that changes. */
export class AttemptWatch {
  readonly #sessions: Sessions
  readonly #hub: EventHub
  readonly #clock: () => number
  readonly #polls = new Set<Poll>()
  #stopping = false

  /** @param clock - milliseconds since the epoch */
  constructor (sessions: Sessions, hub: EventHub, clock: () => number = Date.now) {
    this.#sessions = sessions
    this.#hub = hub
    this.#clock = clock
  }

  /** The attempts of a session, those that ended a short while ago included. */
  async list (sessionId: SessionId): Promise<readonly Attempt[]> {
    const session = await this.#sessions.find(sessionId)
    if (session === undefined) throw new LocalSendError('SESSION_CLOSED')
    return attemptsOf(session, this.#clock())
  }

  /**
   * An attempt as it is, or as soon as it is not any more what the caller knows.
   * @param signal - fires when the caller has gone
   * @throws LocalSendError ATTEMPT_NOT_FOUND, TOO_MANY_REQUESTS, SESSION_CLOSED
   */
  async find (sessionId: SessionId, caller: ParticipantId, query: AttemptQuery, signal: AbortSignal): Promise<Attempt> {
    const attempt = await this.#look(sessionId, query.joinId)
    if (query.patience === 0 || attempt.status !== query.after || this.#stopping) return attempt
    await this.#wait(sessionId, caller, query, signal)
    return await this.#look(sessionId, query.joinId)
  }

  async #look (sessionId: SessionId, joinId: JoinId): Promise<Attempt> {
    const attempt = (await this.list(sessionId)).find(({ id }) => id === joinId)
    if (attempt === undefined) throw new LocalSendError('ATTEMPT_NOT_FOUND')
    return attempt
  }

  /** Resolves when something may have changed, time is up, the caller has gone or the server stops. */
  async #wait (sessionId: SessionId, caller: ParticipantId, { joinId, after, patience }: AttemptQuery, signal: AbortSignal): Promise<void> {
    const open = [...this.#polls].filter((poll) => poll.sessionId === sessionId && poll.caller === caller)
    if (open.length >= MAX_POLLS) throw new LocalSendError('TOO_MANY_REQUESTS', { retryAfter: 5, detail: `At most ${MAX_POLLS} of them may wait.` })
    let end = (): void => {}
    const ended = new Promise<void>((resolve) => { end = resolve })
    const poll: Poll = { sessionId, caller, end }
    this.#polls.add(poll)
    signal.addEventListener('abort', end, { once: true })
    let unsubscribe = (): void => {}
    let timer: NodeJS.Timeout | undefined
    try {
      unsubscribe = await this.#hub.subscribe(sessionId, undefined, {
        onStart: (_id, lost) => { if (lost) end() },
        onEvent: ({ event }) => { if (concerns(joinId, event)) end() }
      })
      // What changed before the hub listened, it does not tell.
      const { status, expiresAt } = await this.#look(sessionId, joinId)
      const left = expiresAt === null ? patience : Math.min(patience, expiresAt - this.#clock())
      timer = setTimeout(end, status === after ? left : 0)
      if (!this.#stopping && !signal.aborted) await ended
    } finally {
      clearTimeout(timer)
      unsubscribe()
      signal.removeEventListener('abort', end)
      this.#polls.delete(poll)
    }
  }

  /** Answers those who wait, and lets nobody wait any more. */
  stop (): void {
    this.#stopping = true
    for (const { end } of this.#polls) end()
  }
}

const concerns = (joinId: JoinId, event: SessionEvent): boolean =>
  event.type === 'session.closed' || ('joinId' in event && event.joinId === joinId)

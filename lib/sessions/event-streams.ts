import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'
import type { EventHub, Listener, PublishedEvent, SessionEvent } from './events.js'
import type { ParticipantId } from './session.js'
import type { Sessions } from './sessions.js'

/** Streams that one participant may have open at one time: a few pages and programs. */
export const MAX_STREAMS = 10

/** Where the events of a stream go. */
export interface EventSink extends Listener {
  /** Nothing more will come. */
  onEnd (): void
}

interface Stream {
  readonly sessionId: SessionId
  readonly participant: ParticipantId
  readonly sink: EventSink
}

/** The event streams that are open in this process. They are no transfers, and no use of a session: it ends as if nobody listened. */
export class EventStreams {
  readonly #sessions: Sessions
  readonly #hub: EventHub
  readonly #open = new Set<Stream>()
  readonly #idle = new Set<() => void>()
  #stopping = false

  constructor (sessions: Sessions, hub: EventHub) {
    this.#sessions = sessions
    this.#hub = hub
  }

  get size (): number {
    return this.#open.size
  }

  /**
   * Opens a stream. It ends with the session, when the participant leaves, and when the server stops.
   * @returns what lets go of it; to be called on every path
   * @throws LocalSendError TOO_MANY_REQUESTS, SESSION_CLOSED, SERVER_STOPPING, STORE_UNAVAILABLE
   */
  async open (sessionId: SessionId, participant: ParticipantId, lastEventId: string | undefined, sink: EventSink): Promise<() => void> {
    if (this.#stopping) throw new LocalSendError('SERVER_STOPPING', { retryAfter: 5 })
    if (this.#countOf(sessionId, participant) >= MAX_STREAMS) {
      throw new LocalSendError('TOO_MANY_REQUESTS', { retryAfter: 5, detail: `At most ${MAX_STREAMS} event streams of one participant may be open.` })
    }
    const stream = { sessionId, participant, sink }
    this.#open.add(stream)
    let unsubscribe = (): void => {}
    const close = (): void => {
      unsubscribe()
      this.#open.delete(stream)
      if (this.#open.size === 0) for (const idle of this.#idle) idle()
    }
    try {
      unsubscribe = await this.#hub.subscribe(sessionId, lastEventId, {
        onStart: (id, lost) => { sink.onStart(id, lost) },
        onEvent: (published) => { deliver(stream, published) }
      })
    } catch (error) {
      close()
      throw error
    }
    try {
      await this.#sessions.stillIn(sessionId, participant)
      return close
    } catch (error) {
      close()
      // Of a session that ended before the hub began to listen to it, nobody else will tell the hub.
      if (await this.#sessions.find(sessionId) === undefined) this.#hub.publish(sessionId, { type: 'session.closed' })
      throw error
    }
  }

  #countOf (sessionId: SessionId, participant: ParticipantId): number {
    return [...this.#open].filter((stream) => stream.sessionId === sessionId && stream.participant === participant).length
  }

  /** Refuses new streams, ends those that are open and waits until they have been let go. */
  async stop (): Promise<void> {
    this.#stopping = true
    for (const { sink } of this.#open) sink.onEnd()
    if (this.#open.size > 0) await new Promise<void>((resolve) => { this.#idle.add(resolve) })
  }
}

function deliver ({ participant, sink }: Stream, published: PublishedEvent): void {
  sink.onEvent(published)
  if (isLastFor(participant, published.event)) sink.onEnd()
}

const isLastFor = (participant: ParticipantId, event: SessionEvent): boolean =>
  event.type === 'session.closed' || (event.type === 'participant.left' && event.participant === participant)

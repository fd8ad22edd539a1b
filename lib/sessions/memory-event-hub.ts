import type { SessionId } from '../ids.js'
import { formatEventId, newEpoch, parseEventId } from './event-ids.js'
import type { EventHub, Listener, PublishedEvent, SessionEvent } from './events.js'

/** Events of a session that are kept for those who come back. */
const REMEMBERED = 100

/** Events within this process. Of a session to which nobody has ever listened it knows nothing. */
export class MemoryEventHub implements EventHub {
  readonly #channels = new Map<SessionId, Channel>()

  /** Sessions of which something is remembered. */
  get size (): number {
    return this.#channels.size
  }

  publish (sessionId: SessionId, event: SessionEvent): void {
    const channel = this.#channels.get(sessionId)
    if (event.type === 'session.closed') this.#channels.delete(sessionId)
    channel?.publish(event)
  }

  subscribe (sessionId: SessionId, lastEventId: string | undefined, listener: Listener): Promise<() => void> {
    const channel = this.#channels.get(sessionId) ?? new Channel()
    this.#channels.set(sessionId, channel)
    return Promise.resolve(channel.subscribe(lastEventId, listener))
  }
}

/** The events of one session, numbered from 1. */
class Channel {
  /** Tells this channel's ids from those of one that had the same session before. */
  readonly #epoch = newEpoch()
  readonly #listeners = new Set<Listener>()
  #remembered: ReadonlyArray<{ readonly number: number, readonly event: SessionEvent }> = []
  #last = 0
  /** The last event that is forgotten without a later one that says the same. */
  #forgotten = 0

  publish (event: SessionEvent): void {
    const number = ++this.#last
    this.#remember(number, event)
    for (const listener of this.#listeners) listener.onEvent(this.#published(number, event))
  }

  /** Of a file's progress only the latest is kept: it says what those before it said. */
  #remember (number: number, event: SessionEvent): void {
    const kept = event.type === 'file.progress'
      ? this.#remembered.filter(({ event: earlier }) => earlier.type !== 'file.progress' || earlier.fileId !== event.fileId)
      : this.#remembered
    if (kept.length === REMEMBERED) this.#forgotten = kept[0]?.number ?? 0
    this.#remembered = [...kept, { number, event }].slice(-REMEMBERED)
  }

  subscribe (lastEventId: string | undefined, listener: Listener): () => void {
    const known = lastEventId === undefined ? this.#last : this.#numberOf(lastEventId)
    const lost = known === undefined || known < this.#forgotten
    const from = lost ? this.#last : known
    listener.onStart(this.#id(from), lost)
    for (const { number, event } of this.#remembered) {
      if (number > from) listener.onEvent(this.#published(number, event))
    }
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** `undefined` for an id that this channel has never given out. */
  #numberOf (id: string): number | undefined {
    const { epoch, number } = parseEventId(id) ?? { epoch: '', number: 0 }
    return epoch === this.#epoch && number <= this.#last ? number : undefined
  }

  readonly #id = (number: number): string => formatEventId({ epoch: this.#epoch, number })

  #published (number: number, event: SessionEvent): PublishedEvent {
    return { id: this.#id(number), event }
  }
}

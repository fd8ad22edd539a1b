import { Readable } from 'node:stream'
import type { EventSink } from '../lib/sessions/event-streams.js'
import type { PublishedEvent } from '../lib/sessions/events.js'
import { presentEvent } from './presenters.js'

/** Milliseconds after which a client whose connection broke should come back. */
const RETRY = 3000
/** Bytes that may wait for a reader: more than all events that a session remembers. */
const MAX_UNSENT = 256 * 2 ** 10
/** Milliseconds in which a reader may take the last events before the connection is closed all the same. */
export const LINGER = 1000

/**
 * Events in the form that browsers' EventSource reads (https://html.spec.whatwg.org/multipage/server-sent-events.html). A reader
 * that does not keep up is cut off: coming back, it goes on where it was.
 */
export class EventStream extends Readable implements EventSink {
  readonly #interval: number
  #heartbeat: NodeJS.Timeout | undefined
  #complete = false

  /** @param interval - milliseconds between two signs of life */
  constructor (interval: number) {
    super()
    this.#interval = interval
  }

  onStart (id: string, lost: boolean): void {
    // Without data this is no event, but its id counts.
    this.#write(`retry: ${RETRY}\nid: ${id}\n${lost ? 'event: reset\ndata: {}\n' : ''}\n`)
  }

  onEvent ({ id, event }: PublishedEvent): void {
    this.#write(`id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(presentEvent(event))}\n\n`)
  }

  onEnd (): void {
    if (this.#complete) return
    this.#complete = true
    this.push(null)
    setTimeout(() => { this.destroy() }, LINGER).unref()
  }

  #write (text: string): void {
    if (this.#complete || this.destroyed) return
    this.push(text)
    if (this.readableLength > MAX_UNSENT) this.destroy()
  }

  override _read (): void {
    this.#heartbeat ??= setInterval(() => { this.#write(':\n\n') }, this.#interval).unref()
  }

  override _destroy (error: Error | null, callback: (error?: Error | null) => void): void {
    clearInterval(this.#heartbeat)
    callback(error)
  }
}

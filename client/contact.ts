/**
 * Whether the server can be reached, told by the requests that are made anyway. Functions of this library go through broken
 * connections without a word; whoever shows people how far something is wants to know that it stands still.
 */

import { isClientError } from './errors.js'
import { globalFetch, type Answer, type Body, type Connection, type Options } from './http.js'

/** What {@link watchContact} takes. Callbacks are called in turn, the first one first, and must not throw. When the signal fires nothing is called any more. */
export interface ContactOptions extends Options {
  /** Requests have failed for want of a connection, and nothing has come since. */
  readonly onLost: () => void
  /** The server answers again. */
  readonly onBack: () => void
  /** Milliseconds after the first failure until it counts as lost; 2000 by default. What is made anew at once is nobody's concern. */
  readonly patience?: number
}

const PATIENCE = 2000
/** What a proxy says of a server that it cannot reach. */
const UNREACHABLE = [502, 504]

/**
 * Watches all that goes over a connection.
 *
 * @returns the same connection, to be used in its place
 */
export function watchContact (connection: Connection, options: ContactOptions): Connection {
  const { fetch: fetchWith = globalFetch } = connection
  const contact = new Contact(options)
  return {
    ...connection,
    async fetch (url, init) {
      const answer = await contact.through(() => fetchWith(url, init), init.signal)
      if (UNREACHABLE.includes(answer.status)) {
        contact.failed()
        return answer
      }
      contact.heard()
      return watchedAnswer(answer, contact, init.signal)
    }
  }
}

function watchedAnswer (answer: Answer, contact: Contact, signal: AbortSignal | undefined): Answer {
  const { status, type, headers, body } = answer
  return { status, ...(type !== undefined && { type }), headers, body: body && watchedBody(body, contact, signal) }
}

/** A stream of events is one answer for hours, and what comes on it is a sign of life. */
const watchedBody = (body: Body, contact: Contact, signal: AbortSignal | undefined): Body => ({
  getReader () {
    const reader = body.getReader()
    return {
      async read () {
        const piece = await contact.through(() => reader.read(), signal)
        contact.heard()
        return piece
      },
      cancel: () => reader.cancel()
    }
  },
  cancel: () => body.cancel()
})

class Contact {
  readonly #options: ContactOptions
  #timer: ReturnType<typeof setTimeout> | undefined
  #lost = false

  constructor (options: ContactOptions) {
    this.#options = options
    options.signal?.addEventListener('abort', () => { clearTimeout(this.#timer) }, { once: true })
  }

  /** Does what needs the server, and takes note if that fails. */
  async through <Result>(work: () => Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      if (signal?.aborted !== true || isSilence(signal.reason)) this.failed()
      throw error
    }
  }

  failed (): void {
    if (this.#lost || this.#timer !== undefined || this.#isOver) return
    const { patience = PATIENCE, onLost } = this.#options
    this.#timer = setTimeout(() => {
      this.#lost = true
      onLost()
    }, patience)
  }

  heard (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (!this.#lost) return
    this.#lost = false
    if (!this.#isOver) this.#options.onBack()
  }

  get #isOver (): boolean {
    return this.#options.signal?.aborted === true
  }
}

/** Whether a request was ended because nothing came, and not because nobody wants its answer. */
const isSilence = (reason: unknown): boolean => isClientError(reason, 'NETWORK') || (reason instanceof Error && reason.name === 'TimeoutError')

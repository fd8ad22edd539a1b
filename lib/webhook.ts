/**
 * Messages to the operator, in the form of Standard Webhooks 1.0 (https://www.standardwebhooks.com): the receiver knows by an
 * HMAC-SHA-256 who sent one, by its time that it is not an old one, and by its id, which stays the same when it is sent again,
 * whether he has had it already.
 */

import { setTimeout as delay } from 'node:timers/promises'
import PQueue from 'p-queue'
import { toBase64url, utf8, type Bytes } from './crypto/bytes.js'

/** What became of a message: the receiver has it; he did not take it, however often; nobody tried, because too many were waiting. */
export type WebhookOutcome = 'delivered' | 'failed' | 'dropped'

interface Options {
  readonly url: string
  /** The key of the HMAC. */
  readonly secret: Bytes
  /** @param reason - what the last try met, without the address, which may hold a secret; `undefined` where nothing is wrong */
  readonly onSettled: (outcome: WebhookOutcome, reason: string | undefined) => void
  /** Milliseconds before each further try of a message. */
  readonly pauses?: readonly number[]
  /** Milliseconds that one try may take. */
  readonly timeout?: number
  /** Messages that may wait. */
  readonly capacity?: number
  /** Milliseconds that the last messages get when the server stops. */
  readonly grace?: number
}

const PAUSES = [1000, 5000, 30_000, 120_000]
const TIMEOUT = 10_000
const CAPACITY = 1000
const CONCURRENCY = 4
const GRACE = 3000

/** Sends messages one by one, apart from what they tell of: nothing waits for the receiver, and what he cannot take is bounded. */
export class Webhook {
  readonly #options: Required<Options>
  readonly #queue = new PQueue({ concurrency: CONCURRENCY })
  /** Fires when the server stops: no message waits for its next try any more. */
  readonly #stopping = new AbortController()
  /** Fires when what has not been sent by then never will be. */
  readonly #over = new AbortController()

  constructor (options: Options) {
    this.#options = { pauses: PAUSES, timeout: TIMEOUT, capacity: CAPACITY, grace: GRACE, ...options }
  }

  /** Messages that are not settled. */
  get waiting (): number {
    return this.#queue.size + this.#queue.pending
  }

  /** Takes a message. It returns at once. */
  post (type: string, data: object): void {
    const { onSettled, capacity } = this.#options
    if (this.waiting >= capacity) {
      onSettled('dropped', `${capacity} are waiting`)
      return
    }
    const id = `msg_${crypto.randomUUID()}`
    const body = JSON.stringify({ type, timestamp: new Date().toISOString(), data })
    void this.#queue.add(() => this.#deliver(id, body))
  }

  /** Sends what waits, without waiting for another try, for as long as the grace lasts. */
  async stop (): Promise<void> {
    this.#stopping.abort()
    const timer = setTimeout(() => { this.#over.abort() }, this.#options.grace)
    await this.#queue.onIdle()
    clearTimeout(timer)
  }

  async #deliver (id: string, body: string): Promise<void> {
    const { pauses, onSettled } = this.#options
    let reason: string | undefined
    for (const pause of [0, ...pauses]) {
      if (pause > 0 && !await this.#wait(pause)) break
      reason = await this.#try(id, body)
      if (reason === undefined) break
    }
    onSettled(reason === undefined ? 'delivered' : 'failed', reason)
  }

  /** @returns whether there is to be another try */
  async #wait (pause: number): Promise<boolean> {
    return await delay(pause, true, { signal: this.#stopping.signal, ref: false }).catch(() => false)
  }

  /** @returns why the receiver does not have it; `undefined` where he has */
  async #try (id: string, body: string): Promise<string | undefined> {
    const { url, secret, timeout } = this.#options
    const timestamp = String(Math.floor(Date.now() / 1000))
    try {
      const response = await fetch(url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'webhook-id': id,
          'webhook-timestamp': timestamp,
          'webhook-signature': `v1,${await sign(secret, `${id}.${timestamp}.${body}`)}`
        },
        // Whoever receives it elsewhere is not whom the operator named.
        redirect: 'manual',
        signal: AbortSignal.any([AbortSignal.timeout(timeout), this.#over.signal])
      })
      await response.body?.cancel()
      return response.ok ? undefined : `the receiver answered ${response.status}`
    } catch (error) {
      return causeOf(error)
    }
  }
}

/** HMAC-SHA-256 in base64. */
async function sign (secret: Bytes, text: string): Promise<string> {
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return toBase64(new Uint8Array(await crypto.subtle.sign('HMAC', key, utf8(text))))
}

const toBase64 = (bytes: Bytes): string => {
  const text = toBase64url(bytes).replaceAll('-', '+').replaceAll('_', '/')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}

/** A code or a name, never a message: that may hold the address. */
function causeOf (error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (!(cause instanceof Error)) return 'unknown'
  return 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name
}

/** How a transfer goes on after a failure that may pass: with waits that grow, and not for ever. */

import { isClientError, isTransient } from './errors.js'
import { pause } from './http.js'

/** How long a transfer is tried that does not get on. */
export interface RetryPolicy {
  /** Failures in a row, without a byte in between, after which it is given up. */
  readonly tries: number
  /** Milliseconds to wait after the first of them; twice as long after each other one. */
  readonly delay: number
  /** Milliseconds to wait at most. */
  readonly longest: number
}

/** About two minutes: long enough for a server that restarts, or a network that changes. */
export const PATIENT: RetryPolicy = { tries: 14, delay: 200, longest: 15_000 }

/** What ends one request of a transfer, and not the transfer. */
const isPassing = (error: unknown): boolean => isTransient(error) ||
  isClientError(error, 'UPLOAD_STALLED', 'UPLOAD_LOCKED', 'UPLOAD_OFFSET_MISMATCH', 'UPLOAD_INCOMPLETE', 'MULTIPART_MALFORMED') ||
  // An answer to HEAD has no body to name its code in.
  (isClientError(error, 'BAD_ANSWER') && error.status === 423)

/** Counts the failures of one transfer. */
export class Retries {
  readonly #policy: RetryPolicy
  readonly #signal: AbortSignal
  #failures = 0

  constructor (policy: RetryPolicy, signal: AbortSignal) {
    this.#policy = policy
    this.#signal = signal
  }

  /** The transfer has got on: what failed before does not count any more. */
  progress (): void {
    this.#failures = 0
  }

  /**
   * Waits until it is time to try again.
   *
   * @param signal - ends the waiting; that of the transfer by default
   * @throws the error itself if it will not pass, or has come too often; the signal's reason
   */
  async after (error: unknown, signal = this.#signal): Promise<void> {
    signal.throwIfAborted()
    this.#failures += 1
    if (!isPassing(error) || this.#failures >= this.#policy.tries) throw error
    const { delay, longest } = this.#policy
    const asked = isClientError(error) ? (error.retryAfter ?? 0) * 1000 : 0
    await pause(Math.min(longest, Math.max(asked, delay * 2 ** (this.#failures - 1))), signal)
  }
}

/** Does something until it succeeds, or fails for good, as patiently as transfers do. */
export const patiently = <Result>(work: () => Promise<Result>, signal: AbortSignal = new AbortController().signal): Promise<Result> =>
  persistently(new Retries(PATIENT, signal), work)

/** Does something until it succeeds, or fails for good. */
export async function persistently<Result> (retries: Retries, work: () => Promise<Result>): Promise<Result> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      await retries.after(error)
    }
  }
}

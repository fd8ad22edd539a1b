import { setTimeout as delay } from 'node:timers/promises'
import { LocalSendError } from '../errors.js'

/** Chunks that one transfer may have in flight at most, however much memory is free: one for each of libuv's threads, one on its way. */
const MAX_PER_TRANSFER = 5
/** Milliseconds that a transfer waits for its first slot, unless told otherwise. */
const ADMISSION_TIMEOUT = 10_000

/** To be called exactly once when a chunk is no longer held. */
export type Release = () => void

/**
 * The memory for the chunks in flight of all uploads and downloads together (STREAM_MEMORY), in slots of one chunk.
 *
 * Every admitted transfer owns one slot for as long as it lasts, so that none can be starved by the others, slow ones
 * included. More are lent while nobody waits to be admitted, but never more than half of all: a client that stops reading
 * keeps what it was lent. Transfers are admitted in the order they came, and refused with SERVER_BUSY if that takes too long.
 * Invariant: slots lent and owned never exceed the budget.
 */
export class MemoryBudget {
  /** How many slots there are. */
  readonly slots: number
  readonly #patience: number
  #free: number
  #lendable: number
  readonly #waiting = new Set<() => void>()

  /**
   * @param bytes - the budget
   * @param slotBytes - what one chunk in flight holds: its plaintext and its ciphertext
   * @param patience - milliseconds that a transfer waits for its first slot
   */
  constructor (bytes: number, slotBytes: number, patience = ADMISSION_TIMEOUT) {
    this.#patience = patience
    this.slots = Math.max(1, Math.floor(bytes / slotBytes))
    this.#free = this.slots
    this.#lendable = Math.floor(this.#free / 2)
  }

  /** Slots that are owned or lent. */
  get used (): number {
    return this.slots - this.#free
  }

  /** Transfers that wait for their first slot. */
  get waiting (): number {
    return this.#waiting.size
  }

  /**
   * Admits a transfer.
   * @throws LocalSendError SERVER_BUSY; the signal's reason
   */
  async admit (signal: AbortSignal): Promise<Lane> {
    signal.throwIfAborted()
    if (this.#free > 0 && this.#waiting.size === 0) this.#free -= 1
    else await this.#wait(signal)
    return new Lane({
      borrow: () => this.#borrow(),
      giveBackBorrowed: () => {
        this.#lendable += 1
        this.#giveBack()
      },
      giveBackOwned: () => { this.#giveBack() }
    })
  }

  async #wait (signal: AbortSignal): Promise<void> {
    const ended = new AbortController()
    let admit: () => void = () => {}
    const admitted = new Promise<true>((resolve) => { admit = () => { resolve(true) } })
    this.#waiting.add(admit)
    const timedOut = delay(this.#patience, false, { signal: AbortSignal.any([signal, ended.signal]) }).catch(() => false)
    const served = await Promise.race([admitted, timedOut])
    ended.abort()
    if (served) return
    // The slot may have been handed over between the end of the wait and this line.
    if (!this.#waiting.delete(admit)) this.#giveBack()
    signal.throwIfAborted()
    throw new LocalSendError('SERVER_BUSY', { retryAfter: 5 })
  }

  #borrow (): boolean {
    if (this.#free === 0 || this.#lendable === 0 || this.#waiting.size > 0) return false
    this.#free -= 1
    this.#lendable -= 1
    return true
  }

  #giveBack (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
    } else {
      this.#waiting.delete(next)
      next()
    }
  }
}

interface Lender {
  borrow (): boolean
  giveBackBorrowed (): void
  giveBackOwned (): void
}

/** The slots of one transfer. */
export class Lane {
  readonly #lender: Lender
  #slots = 1
  #inFlight = 0
  #closed = false
  #wake: (() => void) | undefined

  constructor (lender: Lender) {
    this.#lender = lender
  }

  /** Takes a slot for a chunk, waiting until one of this transfer's own chunks is released if no other is to be had. */
  async acquire (): Promise<Release> {
    for (;;) {
      const release = this.tryAcquire()
      if (release !== undefined) return release
      await new Promise<void>((resolve) => { this.#wake = resolve })
    }
  }

  /** Takes a slot if there is one now. */
  tryAcquire (): Release | undefined {
    if (this.#inFlight === this.#slots) {
      if (this.#slots === MAX_PER_TRANSFER || !this.#lender.borrow()) return undefined
      this.#slots += 1
    }
    this.#inFlight += 1
    return () => { this.#release() }
  }

  #release (): void {
    this.#inFlight -= 1
    this.#shrink()
    this.#wake?.()
  }

  /** Ends the transfer: what it still has in flight returns as it is released. */
  close (): void {
    this.#closed = true
    this.#shrink()
  }

  #shrink (): void {
    const needed = Math.max(this.#closed ? 0 : 1, this.#inFlight)
    for (; this.#slots > needed; this.#slots -= 1) {
      if (this.#slots > 1) this.#lender.giveBackBorrowed()
      else this.#lender.giveBackOwned()
    }
  }
}

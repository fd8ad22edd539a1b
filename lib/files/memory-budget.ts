import { setTimeout as delay } from 'node:timers/promises'
import { CHUNK_LOG2 } from '../crypto/container.js'
import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'

/** Bytes of a slot: a chunk, plain and sealed; or as much of what is stored as it comes. */
export const SLOT_SIZE = 2 * 2 ** CHUNK_LOG2
/** Chunks that one transfer may have in flight at most, however much memory is free: one for each of libuv's threads, one on its way. */
const MAX_PER_TRANSFER = 5
/** Milliseconds that a transfer waits for its first slot, unless told otherwise. */
const ADMISSION_TIMEOUT = 10_000
/** Milliseconds without a whole chunk after which a transfer counts as standing still: less than others wait for its slot. */
const STANDSTILL = 5000
/** Milliseconds between two looks for one that stands still. */
const LOOK_EVERY = 250
/** Milliseconds that one which was told to make room has for it, before another one is told to. */
const LEAVING_TIME = 2000
/** Seconds after which who was refused, or had to make room, may come again. */
const RETRY_AFTER = 5

/** To be called exactly once when a chunk is no longer held. */
export type Release = () => void

/** Who asks for slots. */
export interface Taker {
  readonly signal: AbortSignal
  /** Slots are shared out between sessions. */
  readonly sessionId?: SessionId
  /** Ends it early, so that another one has its slots; whoever cannot be ended keeps them. */
  readonly abort?: (reason: unknown) => void
}

interface Waiter {
  readonly taker: Taker
  readonly admit: () => void
}

/**
 * The memory for the chunks in flight of all uploads and downloads together (STREAM_MEMORY), in slots of one chunk.
 *
 * Every admitted transfer owns one slot for as long as it lasts, so that none can be starved by the others, slow ones
 * included. More are lent while nobody waits to be admitted, but never more than half of all: a client that stops reading
 * keeps what it was lent. A slot that comes free goes to the session that has the fewest transfers; who waits too long is
 * refused with SERVER_BUSY.
 *
 * While others wait, nobody keeps more than a fair share by standing still: of the sessions that would still have no fewer
 * transfers than the one that waits, the one with most loses what has stood still longest. (Tor ends what is oldest for the same
 * reason: Jansen and others, The Sniper Attack, NDSS 2014.) Where nobody waits, nobody loses anything.
 * Invariant: slots lent and owned never exceed the budget.
 */
export class MemoryBudget {
  /** How many slots there are. */
  readonly slots: number
  readonly #patience: number
  #free: number
  #lendable: number
  readonly #waiting = new Set<Waiter>()
  /** Transfers of each session; those that no session has are one. */
  readonly #held = new Map<SessionId | undefined, number>()
  /** Transfers that have not been told to make room. */
  readonly #staying = new Map<Lane, Taker>()
  /** The transfer that was told to, until it has, and when it was told. */
  #leaving: { readonly lane: Lane, readonly since: number } | undefined
  #looking: NodeJS.Timeout | undefined

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
   * Admits a transfer. It may be ended with SERVER_BUSY if it then stands still.
   * @throws LocalSendError SERVER_BUSY; the signal's reason
   */
  async admit (taker: Taker): Promise<Lane> {
    taker.signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      this.#count(taker, 1)
    } else {
      await this.#wait(taker)
    }
    const lane = new Lane({
      borrow: () => this.#borrow(),
      giveBackBorrowed: () => {
        this.#lendable += 1
        this.#giveBack()
      },
      giveBackOwned: () => { this.#leave(taker, lane) }
    })
    this.#staying.set(lane, taker)
    return lane
  }

  async #wait (taker: Taker): Promise<void> {
    const ended = new AbortController()
    let admit: () => void = () => {}
    const admitted = new Promise<true>((resolve) => { admit = () => { resolve(true) } })
    const waiter = { taker, admit }
    this.#waiting.add(waiter)
    this.#look()
    const timedOut = delay(this.#patience, false, { signal: AbortSignal.any([taker.signal, ended.signal]) }).catch(() => false)
    const served = await Promise.race([admitted, timedOut])
    ended.abort()
    if (served) return
    // The slot may have been handed over between the end of the wait and this line.
    if (!this.#waiting.delete(waiter)) this.#leave(taker)
    taker.signal.throwIfAborted()
    throw new LocalSendError('SERVER_BUSY', { retryAfter: RETRY_AFTER })
  }

  #borrow (): boolean {
    if (this.#free === 0 || this.#lendable === 0 || this.#waiting.size > 0) return false
    this.#free -= 1
    this.#lendable -= 1
    return true
  }

  #leave (taker: Taker, lane?: Lane): void {
    this.#count(taker, -1)
    if (lane !== undefined) this.#staying.delete(lane)
    if (lane !== undefined && lane === this.#leaving?.lane) this.#leaving = undefined
    this.#giveBack()
    this.#makeRoom()
  }

  #giveBack (): void {
    const next = this.#next()
    if (next === undefined) {
      this.#free += 1
    } else {
      this.#waiting.delete(next)
      this.#count(next.taker, 1)
      next.admit()
    }
  }

  /** Who waits and whose session has least; of several, who came first. */
  #next (): Waiter | undefined {
    let next: Waiter | undefined
    for (const waiter of this.#waiting) if (next === undefined || this.#heldBy(waiter.taker) < this.#heldBy(next.taker)) next = waiter
    return next
  }

  #heldBy ({ sessionId }: Taker): number {
    return this.#held.get(sessionId) ?? 0
  }

  #count (taker: Taker, change: 1 | -1): void {
    const held = this.#heldBy(taker) + change
    if (held === 0) this.#held.delete(taker.sessionId)
    else this.#held.set(taker.sessionId, held)
  }

  /** Looks for room now, and from time to time as long as somebody waits. */
  #look (): void {
    this.#makeRoom()
    this.#looking ??= setInterval(() => {
      this.#makeRoom()
      if (this.#waiting.size > 0) return
      clearInterval(this.#looking)
      this.#looking = undefined
    }, LOOK_EVERY).unref()
  }

  #makeRoom (): void {
    const next = this.#next()
    const now = performance.now()
    // One that takes long to end must not keep the others waiting.
    if (next === undefined || (this.#leaving !== undefined && now - this.#leaving.since < LEAVING_TIME)) return
    // A session that is not ahead of the one that waits by more than the slot in question keeps even what is slow.
    const share = this.#heldBy(next.taker) + 1
    // What has been told to make room is lost to its session already.
    const kept = new Map<SessionId | undefined, number>()
    for (const { sessionId } of this.#staying.values()) kept.set(sessionId, (kept.get(sessionId) ?? 0) + 1)
    const keptBy = ({ sessionId }: Taker): number => kept.get(sessionId) ?? 0
    const [found] = [...this.#staying]
      .filter(([lane, taker]) => taker.abort !== undefined && now - lane.stillSince >= STANDSTILL && keptBy(taker) > share)
      .sort(([a, x], [b, y]) => keptBy(y) - keptBy(x) || a.stillSince - b.stillSince)
    if (found === undefined) return
    const [lane, taker] = found
    this.#leaving = { lane, since: now }
    this.#staying.delete(lane)
    taker.abort?.(new LocalSendError('SERVER_BUSY', { retryAfter: RETRY_AFTER }))
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
  #stillSince = performance.now()

  constructor (lender: Lender) {
    this.#lender = lender
  }

  /** When a chunk was last done with, by the monotonic clock. */
  get stillSince (): number {
    return this.#stillSince
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
    this.#stillSince = performance.now()
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

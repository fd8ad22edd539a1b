/** How far something has come, told to the views now and then: chunks come by the hundred a second, and nobody reads so fast. */

import { computed, signal } from '@preact/signals'
import { Speed } from '../../client/speed.js'

/** Milliseconds between two states that are shown. */
const INTERVAL = 150
/** Milliseconds after which people wonder whether anything still comes. */
const STALL = 15_000

/** Counts bytes. */
export class Gauge {
  /** Bytes so far. */
  readonly done = signal(0)
  /** Bytes in all; `null` while nobody knows. */
  readonly total = signal<number | null>(null)
  /** Bytes in a second, over the last seconds; `undefined` while there is too little to tell. */
  readonly speed = signal<number | undefined>(undefined)
  /** Seconds until all has come; `undefined` while nobody can tell. */
  readonly secondsLeft = computed(() => {
    const { done: { value: done }, total: { value: total }, speed: { value: speed = 0 } } = this
    return total === null || speed < 1 ? undefined : Math.max(0, total - done) / speed
  })

  /** Whether nothing has come for some time. */
  readonly isStalled = signal(false)

  readonly #speed = new Speed()
  #bytes = 0
  #moved = performance.now()
  #pending: ReturnType<typeof setTimeout> | undefined
  #shown = Number.NEGATIVE_INFINITY

  /** @param done - bytes that were there before: no speed comes of them */
  constructor (total: number | null = null, done = 0) {
    this.total.value = total
    this.#bytes = done
    this.done.value = done
  }

  /** So many more. */
  add (bytes: number): void {
    this.#bytes += bytes
    this.touch()
    if (this.#moved - this.#shown >= INTERVAL) this.#show()
    // What comes last before a pause is shown, too.
    else this.#pending ??= setTimeout(() => { this.#show() }, INTERVAL)
  }

  /** Something goes on, though no bytes of this have come. */
  touch (): void {
    this.#moved = performance.now()
    this.isStalled.value = false
  }

  /** From the beginning. */
  restart (): void {
    this.#bytes = 0
    this.flush()
  }

  /** Shows where it stands now. To be called from time to time, since nothing says that nothing comes. */
  flush (now = performance.now()): void {
    this.done.value = this.#bytes
    this.speed.value = this.#speed.at(now)
    this.isStalled.value = now - this.#moved > STALL
  }

  #show (): void {
    clearTimeout(this.#pending)
    this.#pending = undefined
    this.#shown = performance.now()
    this.#speed.add(this.#bytes, this.#shown)
    this.flush(this.#shown)
  }
}

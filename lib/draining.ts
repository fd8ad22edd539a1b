import { LocalSendError } from './errors.js'
import type { ServiceEvents } from './service-events.js'

/** Seconds after which a drained server may have been followed by another. */
const RETRY = 60

/** Whether the operator wants this server to run empty: no new sessions, while those that there are go on. It ends with the process. */
export class Draining {
  readonly #service: ServiceEvents
  #isOn = false

  constructor (service: ServiceEvents) {
    this.#service = service
  }

  get isOn (): boolean {
    return this.#isOn
  }

  turn (on: boolean): void {
    if (on !== this.#isOn) this.#service.tell({ type: on ? 'drain.began' : 'drain.ended' })
    this.#isOn = on
  }

  /** @throws LocalSendError SERVER_DRAINING */
  check (): void {
    if (this.#isOn) throw new LocalSendError('SERVER_DRAINING', { retryAfter: RETRY })
  }
}

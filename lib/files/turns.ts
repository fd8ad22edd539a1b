import { setTimeout as delay } from 'node:timers/promises'
import { LocalSendError } from '../errors.js'
import type { FileId } from '../ids.js'

/** Milliseconds without a byte after which a writer counts as hanging. */
const HANGING = 1000
/** Milliseconds that a newer request waits for a writer that goes on. */
const PATIENCE = 5000
const LOOK_EVERY = 50

/** The right to write to one upload. */
export interface Turn {
  /** Fires with UPLOAD_LOCKED when the turn has passed to another request. */
  readonly signal: AbortSignal
  /** To be called whenever something has arrived. */
  readonly touch: () => void
  /** To be called on every path. */
  readonly end: () => void
}

/** How uploads give out the right to write. */
export interface UploadTurns {
  /**
   * @param how - `seize`: takes over from any writer at once
   * @throws LocalSendError UPLOAD_LOCKED where another request goes on writing
   */
  take (id: FileId, how?: Taking): Promise<Turn>
}

export type Taking = 'wait' | 'seize'

interface Holder {
  readonly interrupt: () => void
  readonly ended: Promise<void>
  lastTouched: number
}

/**
 * One writer at a time for each upload. A newer request waits for a writer that is receiving, and is refused if that takes
 * long; from one that hangs, a half-dead connection for example, it takes over as soon as what had arrived there is stored.
 */
export class Turns implements UploadTurns {
  readonly #holders = new Map<FileId, Holder>()

  async take (id: FileId, how: Taking = 'wait'): Promise<Turn> {
    const deadline = Date.now() + PATIENCE
    for (let holder = this.#holders.get(id); holder !== undefined; holder = this.#holders.get(id)) {
      if (this.interrupt(id, how)) {
        await holder.ended
      } else {
        if (Date.now() > deadline) throw new LocalSendError('UPLOAD_LOCKED')
        await Promise.race([holder.ended, delay(LOOK_EVERY)])
      }
    }
    return this.#give(id)
  }

  /** Takes a turn away from a writer that hangs or, where it is seized, from any. @returns whether it did */
  interrupt (id: FileId, how: Taking): boolean {
    const holder = this.#holders.get(id)
    if (holder === undefined || (how === 'wait' && Date.now() - holder.lastTouched <= HANGING)) return false
    holder.interrupt()
    return true
  }

  #give (id: FileId): Turn {
    const controller = new AbortController()
    let resolveEnded: () => void = () => {}
    const holder: Holder = {
      ended: new Promise<void>((resolve) => { resolveEnded = resolve }),
      interrupt: () => { controller.abort(new LocalSendError('UPLOAD_LOCKED')) },
      lastTouched: Date.now()
    }
    this.#holders.set(id, holder)
    return {
      signal: controller.signal,
      touch: () => { holder.lastTouched = Date.now() },
      end: () => {
        this.#holders.delete(id)
        resolveEnded()
      }
    }
  }
}

import { LocalSendError } from '../errors.js'
import type { FileId } from '../ids.js'

/** The right to write to one upload. */
export interface Turn {
  /** Fires with UPLOAD_LOCKED when a newer request wants its turn. */
  readonly signal: AbortSignal
  /** To be called on every path. */
  readonly end: () => void
}

/**
 * One writer at a time for each upload. A newer request takes over: it interrupts the one that has the turn and waits until
 * that one has put down what had arrived, so a half-dead connection holds nothing up and two clients never mix their bytes.
 */
export class Turns {
  readonly #current = new Map<FileId, { readonly interrupt: () => void, readonly ended: Promise<void> }>()

  async take (id: FileId): Promise<Turn> {
    for (let current = this.#current.get(id); current !== undefined; current = this.#current.get(id)) {
      current.interrupt()
      await current.ended
    }
    const controller = new AbortController()
    let resolveEnded: () => void = () => {}
    const ended = new Promise<void>((resolve) => { resolveEnded = resolve })
    this.#current.set(id, { ended, interrupt: () => { controller.abort(new LocalSendError('UPLOAD_LOCKED')) } })
    return {
      signal: controller.signal,
      end: () => {
        this.#current.delete(id)
        resolveEnded()
      }
    }
  }
}

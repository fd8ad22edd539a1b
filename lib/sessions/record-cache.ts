import type { SessionId } from '../ids.js'
import type { SessionRecord } from './session.js'

interface Entry {
  readonly version: string
  readonly record: SessionRecord
}

/** Records at most, and milliseconds that one stays which nobody asks for: it holds a key. */
const SIZE = 1000
const LIFETIME = 60_000

/** Records that have been opened, so that one which nobody has changed need be neither sent nor opened again. */
export class RecordCache {
  readonly #entries = new Map<SessionId, Entry & { readonly at: number }>()

  get (id: SessionId): Entry | undefined {
    return this.#entries.get(id)
  }

  set ({ version, record }: Entry): void {
    this.#entries.delete(record.id)
    this.#entries.set(record.id, { version, record, at: Date.now() })
    const [oldest] = this.#entries.keys()
    if (this.#entries.size > SIZE && oldest !== undefined) this.#entries.delete(oldest)
  }

  delete (id: SessionId): void {
    this.#entries.delete(id)
  }

  /** Lets go of what has been kept long enough. */
  prune (): void {
    const limit = Date.now() - LIFETIME
    for (const [id, { at }] of this.#entries) {
      if (at < limit) this.#entries.delete(id)
    }
  }

  clear (): void {
    this.#entries.clear()
  }
}

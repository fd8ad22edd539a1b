import type { SessionRecord } from './session.js'

interface Waiting {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * A record in memory, and how it gets to where it is kept: one write at a time, each with the newest state, so that what
 * changes while one is under way is written in one go.
 *
 * Invariant: what could not be written did not happen. The record is then what was written last, and whoever waits for a
 * change that is lost with that is told.
 */
export class WrittenRecord {
  readonly #write: (record: SessionRecord) => Promise<void>
  #current: SessionRecord
  #written: SessionRecord | undefined
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined

  /** @param written - what is written already */
  constructor (record: SessionRecord, written: SessionRecord | undefined, write: (record: SessionRecord) => Promise<void>) {
    this.#current = record
    this.#written = written
    this.#write = write
  }

  get record (): SessionRecord {
    return this.#current
  }

  /** Milliseconds of use that have not been written. */
  get lag (): number {
    return this.#current.lastUsedAt - (this.#written?.lastUsedAt ?? Number.NEGATIVE_INFINITY)
  }

  /** Changes the record at once; {@link save} makes it last. */
  change (record: SessionRecord): void {
    this.#current = record
  }

  /** Resolves when the state of now, or a newer one, is written. */
  async save (): Promise<void> {
    if (this.#current === this.#written) return
    const saved = new Promise<void>((resolve, reject) => { this.#waiting.push({ resolve, reject }) })
    this.#writing ??= this.#writeAll()
    await saved
  }

  /** Resolves when nothing is being written any more, well or badly. */
  async idle (): Promise<void> {
    await this.#writing
  }

  async #writeAll (): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      const record = this.#current
      try {
        await this.#write(record)
        this.#written = record
        for (const { resolve } of batch) resolve()
      } catch (error) {
        // Whoever came meanwhile has changed what is lost.
        const lost = [...batch, ...this.#waiting]
        this.#waiting = []
        this.#current = { ...this.#written ?? record, lastUsedAt: this.#current.lastUsedAt }
        for (const { reject } of lost) reject(error)
      }
    }
    this.#writing = undefined
  }
}

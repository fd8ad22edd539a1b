import type { SessionId } from '../ids.js'
import type { Changed, SessionRecord } from './session.js'

type Change = (record: SessionRecord) => Changed<unknown>

interface Waiting {
  readonly change: Change
  readonly settle: (result: Result) => void
}

/** What a change came to; nothing before it was applied, or where there is no such record. */
type Result = { readonly outcome: unknown } | { readonly error: unknown } | undefined

/**
 * Applies a change of a record for good. `apply` is pure, and may be called more than once: the last time counts.
 * @returns whether there is such a record
 */
type Write = (id: SessionId, apply: (record: SessionRecord) => SessionRecord) => Promise<boolean>

/**
 * The changes of this process, one write of each record at a time: what comes while one is under way is written together in the
 * next. So the processes contend with each other, and not the requests of one of them.
 */
export class RecordChanges {
  readonly #write: Write
  readonly #waiting = new Map<SessionId, Waiting[]>()
  readonly #running = new Map<SessionId, Promise<void>>()

  constructor (write: Write) {
    this.#write = write
  }

  /** @returns `undefined` where there is no such record */
  async add <Outcome> (id: SessionId, change: (record: SessionRecord) => Changed<Outcome>): Promise<{ readonly outcome: Outcome } | undefined> {
    let changed: { readonly outcome: Outcome } | undefined
    const result = await new Promise<Result>((resolve) => {
      const waiting = this.#waiting.get(id) ?? []
      this.#waiting.set(id, waiting)
      waiting.push({
        change: (record) => {
          changed = undefined
          const applied = change(record)
          changed = { outcome: applied.outcome }
          return applied
        },
        settle: resolve
      })
      if (!this.#running.has(id)) this.#running.set(id, this.#run(id))
    })
    if (result !== undefined && 'error' in result) throw result.error
    return result === undefined ? undefined : changed
  }

  /** Resolves when nothing is being written any more. */
  async idle (): Promise<void> {
    await Promise.all(this.#running.values())
  }

  async #run (id: SessionId): Promise<void> {
    for (let batch = this.#take(id); batch !== undefined; batch = this.#take(id)) {
      const changes = batch
      const results = new Map<Waiting, Result>()
      try {
        const found = await this.#write(id, (record) => applyAll(changes, record, results))
        for (const waiting of batch) waiting.settle(found ? results.get(waiting) : undefined)
      } catch (error) {
        for (const { settle } of batch) settle({ error })
      }
    }
    this.#running.delete(id)
  }

  #take (id: SessionId): readonly Waiting[] | undefined {
    const batch = this.#waiting.get(id)
    this.#waiting.delete(id)
    return batch
  }
}

/** A change that throws changes nothing, and spoils none of the others. */
function applyAll (batch: readonly Waiting[], before: SessionRecord, results: Map<Waiting, Result>): SessionRecord {
  let current = before
  for (const waiting of batch) {
    try {
      const { record, outcome } = waiting.change(current)
      current = record
      results.set(waiting, { outcome })
    } catch (error) {
      results.set(waiting, { error })
    }
  }
  return current
}

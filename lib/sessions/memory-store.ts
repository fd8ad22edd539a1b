import type { SessionId } from '../ids.js'
import { endedFiles } from './session-files.js'
import { isExpired, type Changed, type SessionRecord } from './session.js'
import type { SessionStore } from './store.js'

/** Sessions in this process's memory: they end with it. Atomic because no method yields before it is done. */
export class MemoryStore implements SessionStore {
  readonly #records = new Map<SessionId, SessionRecord>()

  add (record: SessionRecord, maxSessions: number): Promise<'added' | 'taken' | 'full'> {
    if (this.#records.has(record.id)) return Promise.resolve('taken')
    if (this.#records.size >= maxSessions) return Promise.resolve('full')
    this.#records.set(record.id, record)
    return Promise.resolve('added')
  }

  get (id: SessionId): Promise<SessionRecord | undefined> {
    return Promise.resolve(this.#records.get(id))
  }

  update <Outcome> (id: SessionId, change: (record: SessionRecord) => Changed<Outcome>): Promise<{ readonly outcome: Outcome } | undefined> {
    const current = this.#records.get(id)
    if (current === undefined) return Promise.resolve(undefined)
    const { record, outcome } = change(current)
    this.#records.set(id, record)
    return Promise.resolve({ outcome })
  }

  delete (id: SessionId): Promise<SessionRecord | undefined> {
    const record = this.#records.get(id)
    this.#records.delete(id)
    return Promise.resolve(record)
  }

  touch (id: SessionId, at: number): Promise<void> {
    const record = this.#records.get(id)
    if (record !== undefined && record.lastUsedAt < at) this.#records.set(id, { ...record, lastUsedAt: at })
    return Promise.resolve()
  }

  expired (now: number): Promise<readonly SessionId[]> {
    return Promise.resolve([...this.#records.values()].filter((record) => isExpired(record, now)).map(({ id }) => id))
  }

  withEndedFiles (now: number): Promise<readonly SessionRecord[]> {
    return Promise.resolve([...this.#records.values()].filter((record) => endedFiles(record, now).length > 0))
  }

  async * all (): AsyncGenerator<SessionRecord> {
    for (const id of [...this.#records.keys()]) {
      const record = await this.get(id)
      if (record !== undefined) yield record
    }
  }

  volatileIds (): Promise<readonly SessionId[]> {
    return Promise.resolve([...this.#records.keys()])
  }

  close (): Promise<void> {
    return Promise.resolve()
  }
}

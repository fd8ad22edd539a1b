import type { Bytes } from '../crypto/bytes.js'
import type { SessionId } from '../ids.js'
import { RecordDatabase } from './record-database.js'
import { endedFiles } from './session-files.js'
import { isExpired, type Changed, type SessionRecord } from './session.js'
import type { SessionStore } from './store.js'
import { WrittenRecord } from './written-record.js'

interface Options {
  /** A folder that this process alone uses. */
  readonly folder: string
  /** What records are sealed under; without it, those that hold a key are never written and end with this process. */
  readonly secret: Bytes | undefined
  /** What they may be sealed under as well, while the secret is being changed. */
  readonly previousSecret?: Bytes | undefined
  /** Is told what failed while nobody was waiting for it. */
  readonly onError: (error: unknown) => void
  /** Is told of every write that failed, whoever waited for it. */
  readonly onFailedWrite?: () => void
}

/** The share of a session's idle timeout by which its written moment of last use may lag. */
const TOUCH_LAG = 1 / 60

/**
 * Sessions that outlive this process: all in memory, so that changes are atomic and reading is cheap, and every change in a
 * database before it is answered.
 */
export class EmbeddedStore implements SessionStore {
  /** How many records could not be read when the store was opened; they are gone. */
  readonly unreadable: number
  readonly #database: RecordDatabase
  readonly #records = new Map<SessionId, WrittenRecord>()
  /** Sessions that have ended and whose records could not be removed from the database yet. */
  readonly #undeleted = new Map<SessionId, WrittenRecord>()
  readonly #onError: (error: unknown) => void

  private constructor (database: RecordDatabase, unreadable: number, onError: (error: unknown) => void) {
    this.#database = database
    this.unreadable = unreadable
    this.#onError = onError
  }

  /** @throws ConfigError where the folder holds records that another secret has sealed, or no readable database */
  static async open ({ folder, secret, previousSecret, onError, onFailedWrite }: Options): Promise<EmbeddedStore> {
    const { database, records, unreadable } = await RecordDatabase.open(folder, secret && { current: secret, previous: previousSecret }, onFailedWrite)
    const store = new EmbeddedStore(database, unreadable, onError)
    for (const record of records) store.#keep(withoutUndecided(record), record)
    return store
  }

  async add (record: SessionRecord, maxSessions: number): Promise<'added' | 'taken' | 'full'> {
    const { id } = record
    if (this.#records.has(id) || this.#undeleted.has(id)) return 'taken'
    if (this.#records.size >= maxSessions) return 'full'
    try {
      await this.#save(this.#keep(record, undefined))
    } catch (error) {
      this.#records.delete(id)
      throw error
    }
    return 'added'
  }

  get (id: SessionId): Promise<SessionRecord | undefined> {
    return Promise.resolve(this.#records.get(id)?.record)
  }

  async update <Outcome> (id: SessionId, change: (record: SessionRecord) => Changed<Outcome>): Promise<{ readonly outcome: Outcome } | undefined> {
    const written = this.#records.get(id)
    if (written === undefined) return undefined
    const { record, outcome } = change(written.record)
    written.change(record)
    await this.#save(written)
    return { outcome }
  }

  async delete (id: SessionId): Promise<SessionRecord | undefined> {
    const written = this.#records.get(id)
    if (written === undefined) return undefined
    this.#records.delete(id)
    if (this.#database.writes(written.record)) {
      this.#undeleted.set(id, written)
      await this.#remove(id, written)
    }
    return written.record
  }

  touch (id: SessionId, at: number): Promise<void> {
    const written = this.#records.get(id)
    if (written !== undefined && written.record.lastUsedAt < at) {
      written.change({ ...written.record, lastUsedAt: at })
      if (written.lag >= written.record.idleTimeout * TOUCH_LAG) this.#save(written).catch(this.#onError)
    }
    return Promise.resolve()
  }

  async expired (now: number): Promise<readonly SessionId[]> {
    await this.#removeAll()
    return this.#idsOf((record) => isExpired(record, now))
  }

  withEndedFiles (now: number): Promise<readonly SessionRecord[]> {
    return Promise.resolve([...this.#records.values()].map(({ record }) => record).filter((record) => endedFiles(record, now).length > 0))
  }

  volatileIds (): Promise<readonly SessionId[]> {
    return Promise.resolve(this.#idsOf((record) => !this.#database.writes(record)))
  }

  async * all (): AsyncGenerator<SessionRecord> {
    for (const id of [...this.#records.keys()]) {
      const record = await this.get(id)
      if (record !== undefined) yield record
    }
  }

  async close (): Promise<void> {
    await Promise.all([...this.#records.values()].map((written) => this.#save(written).catch(this.#onError)))
    await this.#removeAll()
    await this.#database.close()
  }

  #idsOf (isMeant: (record: SessionRecord) => boolean): readonly SessionId[] {
    return [...this.#records].filter(([, { record }]) => isMeant(record)).map(([id]) => id)
  }

  #keep (record: SessionRecord, stored: SessionRecord | undefined): WrittenRecord {
    const written = new WrittenRecord(record, stored, (newest) => this.#database.put(newest))
    this.#records.set(record.id, written)
    return written
  }

  async #save (written: WrittenRecord): Promise<void> {
    if (this.#database.writes(written.record)) await written.save()
  }

  /** Its session has ended whatever comes of this: a record that stays, as on a full disk, is removed by a later sweep. */
  async #remove (id: SessionId, written: WrittenRecord): Promise<void> {
    try {
      await written.idle()
      await this.#database.delete(id)
      this.#undeleted.delete(id)
    } catch (error) {
      this.#onError(error)
    }
  }

  async #removeAll (): Promise<void> {
    await Promise.all([...this.#undeleted].map(([id, written]) => this.#remove(id, written)))
  }
}

/**
 * Gives back the attempts that the process before was deciding: nobody will end them any more. None of them has told anybody
 * anything, because an answer leaves only after what it says was written. Those that owe a confirmation can still bring it.
 */
function withoutUndecided (record: SessionRecord): SessionRecord {
  const pending = record.pending.filter(({ state }) => state === 'answered')
  return record.kind !== 'managed' || pending.length === record.pending.length ? record : { ...record, pending }
}

import { mkdir } from 'node:fs/promises'
import { ClassicLevel, type BatchOperation } from 'classic-level'
import { ConfigError } from '../config.js'
import { isLocalSendError, LocalSendError } from '../errors.js'
import { isSessionId, type SessionId } from '../ids.js'
import { decodeRecord, encodeRecord, isSecretOf, newSecretCheck, openRecord, sealRecord } from './sealed-record.js'
import type { Secrets } from './sealing.js'
import type { SessionRecord } from './session.js'

type Level = ClassicLevel<string, Uint8Array>
type Operation = BatchOperation<Level, string, Uint8Array>

interface Waiting {
  readonly operations: readonly Operation[]
  /** Whether it waits for the disk itself. */
  readonly sync: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Opened {
  readonly database: RecordDatabase
  readonly records: readonly SessionRecord[]
  readonly unreadable: number
}

/** The keys of the database: the secret's check, and of each record one of the two others. */
const CHECK = 'check'
const SEALED = 'sealed:'
const CLEAR = 'clear:'
/** Seconds after which a write that failed, as on a full disk, may succeed. */
const RETRY_AFTER = 5

/** Behind every key that begins with the prefix. */
const BEHIND = '\uffff'

/** LevelDB's own memory, small: every record is held by the store above. Sealed bytes cannot be compressed. */
const OPTIONS = { keyEncoding: 'utf8', valueEncoding: 'view', compression: false, writeBufferSize: 2 ** 20, cacheSize: 2 ** 20 } as const

/**
 * Records in a LevelDB database, for the one process that has the folder: sealed under a secret, or without one only those
 * that hold no key, in clear.
 *
 * A write that has resolved outlives this process, however it ends. A deletion waits for the disk itself too: a session that
 * was closed must not come back after a power cut, while one that was only changed may lose its last seconds.
 */
export class RecordDatabase {
  readonly #level: Level
  readonly #secrets: Secrets | undefined
  readonly #onFailedWrite: () => void
  #waiting: Waiting[] = []
  #writing: Promise<void> | undefined
  #closed = false

  private constructor (level: Level, secrets: Secrets | undefined, onFailedWrite: () => void) {
    this.#level = level
    this.#secrets = secrets
    this.#onFailedWrite = onFailedWrite
  }

  /**
   * Opens the database, creating it where necessary. Single records that cannot be read are removed, and counted. What the previous
   * secret has sealed is sealed under the current one, so that the previous one is needed no more.
   * @throws ConfigError where it holds records that another secret has sealed, or cannot be read at all
   */
  static async open (folder: string, secrets: Secrets | undefined, onFailedWrite = (): void => {}): Promise<Opened> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const level: Level = new ClassicLevel(folder, OPTIONS)
    const database = new RecordDatabase(level, secrets, onFailedWrite)
    try {
      await level.open()
      await database.#checkSecret(folder)
      const loaded = await database.#load()
      await database.#writeCheck()
      return { database, ...loaded }
    } catch (error) {
      await database.close()
      const cause = isLocalSendError(error) ? error.cause : error
      throw isLevelError(cause) ? unreadableDatabase(folder, cause) : error
    }
  }

  /** Whether a record of this kind is written at all. */
  writes ({ kind }: SessionRecord): boolean {
    return this.#secrets !== undefined || kind === 'end-to-end'
  }

  async put (record: SessionRecord): Promise<void> {
    const { id } = record
    await this.#write(this.#secrets === undefined
      ? [{ type: 'put', key: CLEAR + id, value: encodeRecord(record) }]
      : [{ type: 'put', key: SEALED + id, value: await sealRecord(this.#secrets.current, record) }, { type: 'del', key: CLEAR + id }])
  }

  async delete (id: SessionId): Promise<void> {
    await this.#write([{ type: 'del', key: SEALED + id }, { type: 'del', key: CLEAR + id }], true)
  }

  async close (): Promise<void> {
    this.#closed = true
    await this.#writing
    await this.#level.close()
  }

  /** Under another secret every record would look damaged, and all sessions would be removed: that stops the start instead. */
  async #checkSecret (folder: string): Promise<void> {
    const check = await this.#level.get(CHECK)
    if (check === undefined || await this.#isOurs(check)) return
    const [sealed] = await this.#level.keys({ gte: SEALED, lt: SEALED + BEHIND, limit: 1 }).all()
    if (sealed !== undefined) {
      throw new ConfigError(`SESSION_KEY_SECRET must be the one that the stored sessions are sealed under: set that one again (as SESSION_KEY_SECRET_PREVIOUS, to change it), or remove ${folder} to give up these sessions.`)
    }
  }

  async #isOurs (check: Uint8Array): Promise<boolean> {
    if (this.#secrets === undefined) return false
    const { current, previous } = this.#secrets
    return await isSecretOf(check, current) || (previous !== undefined && await isSecretOf(check, previous))
  }

  /** Behind all records: whoever is interrupted before still needs the previous secret. */
  async #writeCheck (): Promise<void> {
    const check = await this.#level.get(CHECK)
    if (this.#secrets === undefined) {
      if (check !== undefined) await this.#write([{ type: 'del', key: CHECK }], true)
    } else if (check === undefined || !await isSecretOf(check, this.#secrets.current)) {
      await this.#write([{ type: 'put', key: CHECK, value: await newSecretCheck(this.#secrets.current) }], true)
    }
  }

  async #load (): Promise<Omit<Opened, 'database'>> {
    const records: SessionRecord[] = []
    const unreadable: string[] = []
    for await (const [key, value] of this.#level.iterator({ fillCache: false })) {
      if (key === CHECK) continue
      try {
        const { record, byPrevious } = await this.#read(key, value)
        records.push(record)
        if (byPrevious) await this.put(record)
      } catch {
        unreadable.push(key)
      }
    }
    await this.#write(unreadable.map((key) => ({ type: 'del', key })), true)
    return { records, unreadable: unreadable.length }
  }

  async #read (key: string, value: Uint8Array): Promise<{ readonly record: SessionRecord, readonly byPrevious: boolean }> {
    const id = key.slice(key.indexOf(':') + 1)
    if (!isSessionId(id)) throw new RangeError('This is not the key of a record.')
    if (key === CLEAR + id) return { record: readClear(id, value), byPrevious: false }
    if (key !== SEALED + id || this.#secrets === undefined) throw new RangeError('This record cannot be opened.')
    return await openRecord(this.#secrets, id, value)
  }

  /** One write at a time, each with all that came meanwhile: many deletions wait for the disk once. */
  async #write (operations: readonly Operation[], sync = false): Promise<void> {
    const written = new Promise<void>((resolve, reject) => { this.#waiting.push({ operations, sync, resolve, reject }) })
    this.#writing ??= this.#writeAll()
    await written
  }

  async #writeAll (): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      try {
        if (this.#level.status === 'closed' && !this.#closed) await this.#level.open()
        await this.#level.batch(batch.flatMap(({ operations }) => operations), { sync: batch.some(({ sync }) => sync) })
        for (const { resolve } of batch) resolve()
      } catch (error) {
        this.#onFailedWrite()
        await this.#reopen()
        const failure = new LocalSendError('STORE_UNAVAILABLE', { retryAfter: RETRY_AFTER, cause: error })
        for (const { reject } of batch) reject(failure)
      }
    }
    this.#writing = undefined
  }

  /**
   * To be done after every write that failed, as on a full disk: it may have left a torn entry in LevelDB's log, and whatever
   * is written behind one is lost, although it seems to succeed. Opening begins a new log.
   */
  async #reopen (): Promise<void> {
    if (this.#closed) return
    try {
      await this.#level.close()
      await this.#level.open()
    } catch { /* Then the next write opens it, or fails too. */ }
  }
}

function readClear (id: SessionId, value: Uint8Array): SessionRecord {
  const record = decodeRecord(id, value)
  if (record.kind === 'managed') throw new RangeError('This server never writes a managed record in clear.')
  return record
}

const isLevelError = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('LEVEL_')

function unreadableDatabase (folder: string, error: Error): ConfigError {
  const { message } = error.cause instanceof Error ? error.cause : error
  return new ConfigError(`UPLOAD_FOLDER must hold readable session records or none (${message}): mend that, or remove ${folder} to give them up.`, { cause: error })
}

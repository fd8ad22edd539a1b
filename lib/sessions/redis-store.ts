import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError } from '../config.js'
import { randomBytes, toBase64url } from '../crypto/bytes.js'
import { isLocalSendError, LocalSendError } from '../errors.js'
import { isSessionId, type SessionId } from '../ids.js'
import type { RedisConnection } from '../redis/redis-connection.js'
import { listOf, textOf, type Reply } from '../redis/redis-script.js'
import * as scripts from './redis-record-scripts.js'
import { RecordCache } from './record-cache.js'
import { RecordChanges } from './record-changes.js'
import { RedisFileEnds } from './redis-file-ends.js'
import { isSecretOf, newSecretCheck, openRecord, sealRecord } from './sealed-record.js'
import type { Secrets } from './sealing.js'
import { endedFiles } from './session-files.js'
import { expiresAt, type Changed, type SessionRecord } from './session.js'
import type { SessionStore } from './store.js'

interface Options {
  readonly redis: RedisConnection
  readonly secrets: Secrets
  /** Is told of records that cannot be read. */
  readonly onError: (error: unknown) => void
}

/** A record as it stands in Redis. */
export interface VersionedRecord {
  readonly version: string
  readonly record: SessionRecord
}

const PREFIX = 'local-send:'
const INDEX = `${PREFIX}sessions`
const CHECK = `${PREFIX}secret`
const keyOf = (id: SessionId): string => `${PREFIX}session:{${id}}`

/** Milliseconds that Redis keeps a record behind its expiry, in which a sweeper comes by and removes its files too. */
const BACKSTOP = 10 * 60_000
/** Records that are read at one time where many are asked for. */
const PAGE = 100
/** Milliseconds for which a change whose answer was lost is asked about; a change that others come before is tried again. */
const PATIENCE = 5000
/** Milliseconds between two tries at most: other instances change the same record meanwhile. */
const MAX_PAUSE = 50
const NONCE_BYTES = 6

/**
 * Sessions in Redis, which any number of processes share. Every record is sealed. A change reads a record, applies what is to be
 * changed and writes it if nobody else has: otherwise it begins anew.
 */
export class RedisStore implements SessionStore {
  readonly #redis: RedisConnection
  readonly #secrets: Secrets
  readonly #onError: (error: unknown) => void
  readonly #fileEnds: RedisFileEnds
  readonly #cache = new RecordCache()
  readonly #changes: RecordChanges

  private constructor ({ redis, secrets, onError }: Options) {
    this.#redis = redis
    this.#secrets = secrets
    this.#onError = onError
    this.#fileEnds = new RedisFileEnds(redis)
    this.#changes = new RecordChanges((id, apply) => this.#change(id, apply))
  }

  /** @throws ConfigError where Redis holds records that neither secret opens */
  static async open (options: Options): Promise<RedisStore> {
    const store = new RedisStore(options)
    await store.#checkSecret()
    return store
  }

  async add (record: SessionRecord, maxSessions: number): Promise<'added' | 'taken' | 'full'> {
    const { id, lastUsedAt, idleTimeout, endsAt } = record
    const sealed = await sealRecord(this.#secrets.current, record)
    const place = textOf(await scripts.takePlace.run(this.#redis, [INDEX], [id, expiresAt(record), maxSessions]))
    if (place === 'taken' || place === 'full') return place
    const life = Math.max(0, Math.min(idleTimeout, endsAt - lastUsedAt)) + BACKSTOP
    // A place that stays without a record, because Redis goes away now, is given back when it expires.
    const added = textOf(await scripts.addRecord.run(this.#redis, [keyOf(id)], [newVersion(), sealed, lastUsedAt, idleTimeout, endsAt, life]))
    return added === 'taken' ? 'taken' : 'added'
  }

  async get (id: SessionId): Promise<SessionRecord | undefined> {
    return (await this.#read(id))?.record
  }

  async update <Outcome> (id: SessionId, change: (record: SessionRecord) => Changed<Outcome>): Promise<{ readonly outcome: Outcome } | undefined> {
    return await this.#changes.add(id, change)
  }

  async delete (id: SessionId): Promise<SessionRecord | undefined> {
    this.#cache.delete(id)
    const deleted = await this.#opened(id, listOf(await scripts.deleteRecord.run(this.#redis, [keyOf(id)], [])))
    if (deleted === undefined) return undefined
    // Whoever is given the record cleans up behind it, which nobody else can; entries that stay go with their moments.
    await Promise.all([this.#redis.run((client) => client.zrem(INDEX, id)), this.#fileEnds.end(deleted.record)]).catch(this.#onError)
    return deleted.record
  }

  async touch (id: SessionId, at: number): Promise<void> {
    await scripts.touchRecord.run(this.#redis, [keyOf(id)], [at, BACKSTOP])
  }

  async expired (now: number): Promise<readonly SessionId[]> {
    this.#cache.prune()
    const ids = (await this.#redis.run((client) => client.zrangebyscore(INDEX, '-inf', String(now)))).filter(isSessionId)
    const expired: SessionId[] = []
    for (const page of pagesOf(ids)) {
      const expiries = await Promise.all(page.map((id) => this.#expiryOf(id)))
      for (const [i, id] of page.entries()) {
        const expiry = expiries[i]
        if (expiry === undefined) await scripts.dropPlace.run(this.#redis, [INDEX], [id, now])
        else if (expiry <= now) expired.push(id)
        else await this.#redis.run((client) => client.zadd(INDEX, 'XX', expiry, id))
      }
    }
    return expired
  }

  async withEndedFiles (now: number): Promise<readonly SessionRecord[]> {
    const due = await this.#fileEnds.due(now)
    const ended = new Map<SessionId, SessionRecord>()
    for await (const record of this.#readAll([...new Set(due.map(({ id }) => id))])) if (endedFiles(record, now).length > 0) ended.set(record.id, record)
    await this.#fileEnds.forget(due, ended, now)
    return [...ended.values()]
  }

  async * all (): AsyncGenerator<SessionRecord> {
    yield * this.#readAll((await this.#redis.run((client) => client.zrange(INDEX, '0', '-1'))).filter(isSessionId))
  }

  /** None: other processes go on with them. */
  volatileIds (): Promise<readonly SessionId[]> {
    return Promise.resolve([])
  }

  async close (): Promise<void> {
    await this.#changes.idle()
    this.#cache.clear()
  }

  /** Seals all records under the current secret that another one has sealed: that one is not needed any more then. */
  async sealAgain (): Promise<void> {
    for await (const { id } of this.all()) await this.#changes.add(id, (record) => ({ record: { ...record }, outcome: undefined }))
  }

  /** Lets go of what this process remembers of a session that another one has ended. */
  forget (id: SessionId): void {
    this.#cache.delete(id)
  }

  async #checkSecret (): Promise<void> {
    const { current, previous } = this.#secrets
    const check = await newSecretCheck(current)
    await this.#redis.run((client) => client.setnx(CHECK, Buffer.from(check)))
    const found = await this.#redis.run((client) => client.getBuffer(CHECK))
    if (found !== null && await isSecretOf(found, current)) return
    if (found === null || previous === undefined || !await isSecretOf(found, previous)) {
      throw new ConfigError('SESSION_KEY_SECRET must be the one that the sessions in Redis are sealed under: set that one again or, while it is being changed, as SESSION_KEY_SECRET_PREVIOUS.')
    }
    await this.#redis.run((client) => client.set(CHECK, Buffer.from(check)))
  }

  async * #readAll (ids: readonly SessionId[]): AsyncGenerator<SessionRecord> {
    for (const page of pagesOf(ids)) {
      for (const found of await Promise.all(page.map((id) => this.#look(id)))) if (found !== undefined) yield found.record
    }
  }

  async #read (id: SessionId): Promise<VersionedRecord | undefined> {
    const found = await this.#look(id)
    if (found !== undefined) this.#cache.set(found)
    return found
  }

  /** Reads without keeping what was read. */
  async #look (id: SessionId): Promise<VersionedRecord | undefined> {
    const known = this.#cache.get(id)
    return await this.#opened(id, listOf(await scripts.readRecord.run(this.#redis, [keyOf(id)], [known?.version ?? ''])), known)
  }

  /** @returns `undefined` where there is nothing, or nothing that can be read */
  async #opened (id: SessionId, [version, used, sealed]: readonly Reply[], known?: VersionedRecord): Promise<VersionedRecord | undefined> {
    if (version === undefined || version === null) return undefined
    const lastUsedAt = Number(textOf(used))
    if (!Buffer.isBuffer(sealed)) return known && { ...known, record: { ...known.record, lastUsedAt } }
    try {
      const { record } = await openRecord(this.#secrets, id, sealed)
      return { version: textOf(version), record: { ...record, lastUsedAt } }
    } catch (error) {
      this.#onError(error)
      return undefined
    }
  }

  /** Looked at without opening it, so that one that cannot be opened expires, too. */
  async #expiryOf (id: SessionId): Promise<number | undefined> {
    const [used, idle, ends] = await this.#redis.run((client) => client.hmget(keyOf(id), 'used', 'idle', 'ends'))
    return used == null || idle == null || ends == null ? undefined : Math.min(Number(ends), Number(used) + Number(idle))
  }

  /**
   * Applies a change until it was written before anybody else's.
   * @returns whether there is such a record
   */
  async #change (id: SessionId, apply: (record: SessionRecord) => SessionRecord): Promise<boolean> {
    const deadline = Date.now() + PATIENCE
    for (let pause = 1; ; pause = Math.min(2 * pause, MAX_PAUSE)) {
      const found = await this.#read(id)
      if (found === undefined) return false
      const record = apply(found.record)
      if (record === found.record) return true
      await this.#fileEnds.announce(record, found.record)
      const version = newVersion()
      const sealed = await sealRecord(this.#secrets.current, record)
      const outcome = await this.#write(id, found.version, version, sealed, deadline)
      if (outcome === 'changed') this.#cache.set({ version, record })
      if (outcome !== 'other') return outcome === 'changed'
      if (Date.now() > deadline) throw new LocalSendError('STORE_UNAVAILABLE', { retryAfter: 5, cause: new Error('others changed the record all the time') })
      await delay(Math.random() * pause)
    }
  }

  /** Writes a record and, if no answer comes, asks again until it is certain what became of that. */
  async #write (id: SessionId, from: string, to: string, sealed: Uint8Array, deadline: number): Promise<'changed' | 'other' | 'gone'> {
    let mayHaveArrived = false
    for (;;) {
      const { isReady } = this.#redis
      try {
        const [outcome, versions] = listOf(await scripts.changeRecord.run(this.#redis, [keyOf(id)], [from, to, sealed])).map(textOf)
        if (outcome === 'changed' || outcome === 'gone') return outcome
        const past = splitVersions(versions ?? '')
        if (past.includes(to)) return 'changed'
        if (!mayHaveArrived || past.includes(from)) return 'other'
      } catch (error) {
        mayHaveArrived ||= isReady
        if (!mayHaveArrived || Date.now() > deadline || !isLocalSendError(error, 'STORE_UNAVAILABLE')) throw error
        await delay(MAX_PAUSE)
        continue
      }
      throw new LocalSendError('STORE_UNAVAILABLE', { retryAfter: 5, cause: new Error('it is not known whether the record was changed') })
    }
  }
}

const VERSION_LENGTH = 8
const newVersion = (): string => toBase64url(randomBytes(NONCE_BYTES))
const splitVersions = (text: string): string[] => Array.from({ length: text.length / VERSION_LENGTH }, (_, i) => text.slice(i * VERSION_LENGTH, (i + 1) * VERSION_LENGTH))

function * pagesOf (ids: readonly SessionId[]): Generator<readonly SessionId[]> {
  for (let at = 0; at < ids.length; at += PAGE) yield ids.slice(at, at + PAGE)
}

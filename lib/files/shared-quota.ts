import type { SessionId } from '../ids.js'
import { LocalSendError } from '../errors.js'
import type { RedisConnection } from '../redis/redis-connection.js'
import { RedisScript } from '../redis/redis-script.js'
import { storedBytes } from '../sessions/session-files.js'
import type { SessionRecord } from '../sessions/session.js'
import { FileReservation, storageFull, type Quota, type QuotaLimits } from './storage-quota.js'

/** Bytes that are asked for at one time: not every chunk is worth a way to Redis. */
const BLOCK = 16 * 2 ** 20
const LEDGER = 'local-send:storage'

/**
 * KEYS: the ledger, a hash of bytes by session and in all. ARGV: session, bytes wanted, bytes needed at least, most bytes in all. Takes
 * room; gives how much, nothing where there is not enough.
 */
const takeRoom = new RedisScript(`
local total = tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
local granted = math.min(tonumber(ARGV[2]), tonumber(ARGV[4]) - total)
if granted < tonumber(ARGV[3]) then return 0 end
local change = string.format('%.0f', granted)
redis.call('HINCRBY', KEYS[1], ARGV[1], change)
redis.call('HINCRBY', KEYS[1], 'total', change)
return granted
`)

/** KEYS: the ledger. ARGV: session, bytes, or nothing for all it has. Gives room back, never more than there is. */
const giveRoom = new RedisScript(`
local has = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
local given = ARGV[2] == '' and has or math.min(has, tonumber(ARGV[2]))
local change = given == 0 and '0' or string.format('%.0f', -given)
if given == has then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HINCRBY', KEYS[1], ARGV[1], change) end
return redis.call('HINCRBY', KEYS[1], 'total', change)
`)

/**
 * What is stored and what is about to be, where several processes store. What all sessions hold together is counted in Redis, what one
 * holds by its record, which refuses what is too much; beside it, what this process is writing, so that most is refused early.
 *
 * What a process was writing when it died counts against MAX_STORAGE until its session ends.
 */
export class SharedQuota implements Quota {
  readonly #limits: QuotaLimits
  readonly #freeSpace: () => Promise<number>
  readonly #redis: RedisConnection
  readonly #onError: (error: unknown) => void
  readonly #arriving = new Map<SessionId, number>()
  #total = 0

  constructor (limits: QuotaLimits, freeSpace: () => Promise<number>, redis: RedisConnection, onError: (error: unknown) => void) {
    this.#limits = limits
    this.#freeSpace = freeSpace
    this.#redis = redis
    this.#onError = onError
  }

  async check (session: SessionRecord, expected: number): Promise<void> {
    this.#checkSession(session, expected)
    await this.refresh()
    if (this.#total + expected > this.#limits.maxStorage) throw storageFull()
    await this.#checkDisk(expected)
  }

  file (session: SessionRecord, before = 0): FileReservation {
    const { id } = session
    let granted = 0
    let taken = 0
    let arriving = 0
    const settle = (): void => {
      this.#arrive(id, -arriving)
      arriving = 0
    }
    return new FileReservation(this.#limits.maxFileSize, before, {
      reserve: async (bytes) => {
        this.#checkSession(session, bytes)
        this.#arrive(id, bytes)
        taken += bytes
        arriving += bytes
        if (taken > granted) granted += await this.#take(id, taken - granted)
      },
      checkDisk: (bytes) => this.#checkDisk(bytes),
      release: () => {
        settle()
        if (granted > 0) this.release(id, granted)
        granted = taken = 0
      },
      settle: () => {
        settle()
        if (granted > taken) this.release(id, granted - taken)
        granted = taken
      }
    })
  }

  /** What another process has stored, it has counted. */
  restore (): void {}

  release (sessionId: SessionId, bytes: number): void {
    this.#give(sessionId, bytes)
  }

  end (sessionId: SessionId): void {
    this.#give(sessionId, '')
  }

  get total (): number {
    return this.#total
  }

  of (session: SessionRecord): number {
    return storedBytes(session) + (this.#arriving.get(session.id) ?? 0)
  }

  /** Looks at what all sessions hold. */
  async refresh (): Promise<void> {
    this.#total = Number(await this.#redis.run((client) => client.hget(LEDGER, 'total')) ?? 0)
  }

  async #take (sessionId: SessionId, needed: number): Promise<number> {
    const most = Math.min(this.#limits.maxStorage, Number.MAX_SAFE_INTEGER)
    const granted = Number(await takeRoom.run(this.#redis, [LEDGER], [sessionId, Math.max(BLOCK, needed), needed, most]))
    if (granted === 0) throw storageFull()
    return granted
  }

  #give (sessionId: SessionId, bytes: number | ''): void {
    giveRoom.run(this.#redis, [LEDGER], [sessionId, bytes]).then((total) => { this.#total = Number(total) }, this.#onError)
  }

  #arrive (sessionId: SessionId, bytes: number): void {
    const rest = (this.#arriving.get(sessionId) ?? 0) + bytes
    if (rest > 0) this.#arriving.set(sessionId, rest)
    else this.#arriving.delete(sessionId)
  }

  #checkSession (session: SessionRecord, bytes: number): void {
    if (this.of(session) + bytes > this.#limits.maxSessionSize) throw new LocalSendError('SESSION_SIZE_EXCEEDED')
  }

  async #checkDisk (bytes: number): Promise<void> {
    if (await this.#freeSpace() - bytes < this.#limits.minFreeSpace) throw storageFull()
  }
}

import { setTimeout as delay } from 'node:timers/promises'
import { randomBytes, toHex } from '../crypto/bytes.js'
import { LocalSendError } from '../errors.js'
import { isFileId, type FileId } from '../ids.js'
import type { RedisConnection } from '../redis/redis-connection.js'
import { RedisScript } from '../redis/redis-script.js'
import { Turns, type Taking, type Turn, type UploadTurns } from './turns.js'

/** Milliseconds after which the turn of a process that died, or froze, is another's. */
const LEASE = 4000
const RENEWAL = 1000
/** Milliseconds that a request waits for another process that goes on writing; longer than the lease of a dead one. */
const PATIENCE = 6000
/** Milliseconds that a deletion waits until another process has put down what had come. */
const SEIZING = 30_000
const LOOK_EVERY = 100
const WANTED = 'local-send:turns'
const keyOf = (id: FileId): string => `local-send:turn:${id}`

/** KEYS: a lease. ARGV: its holder, milliseconds. Renews it, unless it is another's by now. */
const renewLease = new RedisScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

/** KEYS: a lease. ARGV: its holder. Gives it back, unless it is another's by now. */
const endLease = new RedisScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`)

/**
 * One writer at a time for each upload, in whatever process: a lease in Redis, and within this process a turn. Whoever wants one asks
 * the process that has it, which knows whether its writer hangs; one that does not renew its lease is not asked.
 *
 * A lease alone would not keep a process that froze and woke from writing: the record counts turns, and refuses an earlier one.
 */
export class SharedTurns implements UploadTurns {
  readonly #redis: RedisConnection
  readonly #turns = new Turns()
  readonly #held = new Map<FileId, string>()
  readonly #renewal: NodeJS.Timeout

  private constructor (redis: RedisConnection) {
    this.#redis = redis
    this.#renewal = setInterval(() => { this.#renewAll() }, RENEWAL).unref()
  }

  /** @throws LocalSendError STORE_UNAVAILABLE */
  static async open (redis: RedisConnection): Promise<SharedTurns> {
    const turns = new SharedTurns(redis)
    redis.subscriber.on('message', (channel: string, message: string) => {
      const [how, id] = message.split(' ')
      if (channel === WANTED && isFileId(id) && turns.#held.has(id)) turns.#turns.interrupt(id, how === 'seize' ? 'seize' : 'wait')
    })
    await redis.subscribe(WANTED)
    return turns
  }

  async take (id: FileId, how: Taking = 'wait'): Promise<Turn> {
    const turn = await this.#turns.take(id, how)
    const holder = toHex(randomBytes(8))
    try {
      await this.#acquire(id, holder, how)
    } catch (error) {
      turn.end()
      throw error
    }
    this.#held.set(id, holder)
    return {
      signal: turn.signal,
      touch: turn.touch,
      end: () => {
        this.#held.delete(id)
        // One that cannot be given back ends by itself.
        endLease.run(this.#redis, [keyOf(id)], [holder]).catch(() => {}).finally(turn.end)
      }
    }
  }

  close (): void {
    clearInterval(this.#renewal)
  }

  async #acquire (id: FileId, holder: string, how: Taking): Promise<void> {
    const deadline = Date.now() + (how === 'seize' ? SEIZING : PATIENCE)
    for (;;) {
      if (await this.#redis.run((client) => client.set(keyOf(id), holder, 'PX', LEASE, 'NX')) === 'OK') return
      if (Date.now() > deadline) throw new LocalSendError('UPLOAD_LOCKED')
      await this.#redis.run((client) => client.publish(WANTED, `${how} ${id}`))
      await delay(LOOK_EVERY)
    }
  }

  #renewAll (): void {
    for (const [id, holder] of this.#held) {
      renewLease.run(this.#redis, [keyOf(id)], [holder, LEASE]).then((renewed) => {
        if (renewed === 0 && this.#held.get(id) === holder) this.#turns.interrupt(id, 'seize')
      }, () => { /* While Redis is away nobody else gets the turn either; what was lost by then, the record tells. */ })
    }
  }
}

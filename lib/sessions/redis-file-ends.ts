import { isSessionId, type SessionId } from '../ids.js'
import type { RedisConnection } from '../redis/redis-connection.js'
import { fileEnds } from './session-files.js'
import type { SessionRecord } from './session.js'

const KEY = 'local-send:file-ends'
/** Milliseconds that an entry outlives its moment: the change it announces may still be on its way. */
const GRACE = 60_000

/**
 * When files end in the sessions that Redis holds, so that a sweeper needs to read those only: one entry for each moment at which
 * something ends in a session. An entry stands there before the record that it speaks of, so none is missed; one that was never
 * needed, or no longer is, goes when its moment is over.
 */
export class RedisFileEnds {
  readonly #redis: RedisConnection

  constructor (redis: RedisConnection) {
    this.#redis = redis
  }

  /**
   * Announces what ends in a record and did not in the one before. To be called before it is written.
   * @throws LocalSendError STORE_UNAVAILABLE
   */
  async announce (record: SessionRecord, before: SessionRecord): Promise<void> {
    const known = new Set(fileEnds(before))
    const added = fileEnds(record).filter((end) => !known.has(end))
    if (added.length === 0) return
    await this.#redis.run((client) => client.zadd(KEY, ...added.flatMap((end) => [end, `${record.id}:${end}`])))
  }

  /**
   * The sessions in which something was to end by `now`.
   * @throws LocalSendError STORE_UNAVAILABLE
   */
  async due (now: number): Promise<readonly SessionId[]> {
    const entries = await this.#redis.run((client) => client.zrangebyscore(KEY, '-inf', String(now)))
    return [...new Set(entries.map((entry) => entry.slice(0, entry.indexOf(':'))))].filter(isSessionId)
  }

  /** Forgets the moments that are over, once what they announced has been swept. */
  async forget (now: number): Promise<void> {
    await this.#redis.run((client) => client.zremrangebyscore(KEY, '-inf', String(now - GRACE)))
  }
}

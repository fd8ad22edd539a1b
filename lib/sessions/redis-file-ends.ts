import { isSessionId, type SessionId } from '../ids.js'
import type { RedisConnection } from '../redis/redis-connection.js'
import { fileEnds } from './session-files.js'
import type { SessionRecord } from './session.js'

const KEY = 'local-send:file-ends'
/** Milliseconds that an entry outlives its moment at least: the change it announces may still be on its way. */
const GRACE = 60_000

/** That something was to end in a session at this moment. */
interface Entry {
  readonly id: SessionId
  readonly end: number
}

const memberOf = ({ id, end }: Entry): string => `${id}:${end}`

/**
 * When files end in the sessions that Redis holds, so that a sweeper needs to read those only: one entry for each moment at which
 * something ends in a session before the session itself. An entry stands there before the record that it speaks of, so none is
 * missed, and until what it speaks of is gone.
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
    const added = fileEnds(record).filter((end) => end < record.endsAt && !known.has(end))
    if (added.length > 0) await this.#redis.run((client) => client.zadd(KEY, ...added.flatMap((end) => [end, memberOf({ id: record.id, end })])))
  }

  /**
   * What was to end by `now`.
   * @throws LocalSendError STORE_UNAVAILABLE
   */
  async due (now: number): Promise<readonly Entry[]> {
    const members = await this.#redis.run((client) => client.zrangebyscore(KEY, '-inf', String(now)))
    return members.flatMap((member) => {
      const [id, end] = member.split(':')
      return isSessionId(id) ? [{ id, end: Number(end) }] : []
    })
  }

  /** Forgets entries whose moment is over, and of which nothing is left in the records that there are. */
  async forget (entries: readonly Entry[], records: ReadonlyMap<SessionId, SessionRecord>, now: number): Promise<void> {
    const isOver = ({ id, end }: Entry): boolean => {
      const record = records.get(id)
      return end <= now - GRACE && (record === undefined || !fileEnds(record).includes(end))
    }
    await this.#remove(entries.filter(isOver))
  }

  /** Forgets what a session that has ended had announced. */
  async end (record: SessionRecord): Promise<void> {
    await this.#remove(fileEnds(record).map((end) => ({ id: record.id, end })))
  }

  async #remove (entries: readonly Entry[]): Promise<void> {
    if (entries.length > 0) await this.#redis.run((client) => client.zrem(KEY, ...entries.map(memberOf)))
  }
}

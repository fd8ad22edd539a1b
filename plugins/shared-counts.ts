import type { FastifyRateLimitStore, FastifyRateLimitStoreCtor } from '@fastify/rate-limit'
import type { RedisConnection } from '../lib/redis/redis-connection.js'
import { listOf, RedisScript } from '../lib/redis/redis-script.js'

/** KEYS: a count. ARGV: milliseconds of its window. Counts one request; gives the count and the milliseconds until it begins anew. */
const countRequest = new RedisScript(`
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}
`)

/**
 * Counts of requests that all instances share. @fastify/rate-limit's own store would throw what ioredis throws; by this one a request
 * that cannot be counted is answered like every other that Redis is needed for.
 */
export const sharedCounts = (redis: RedisConnection): FastifyRateLimitStoreCtor => class SharedCounts implements FastifyRateLimitStore {
  incr (key: string, callback: (error: Error | null, result?: { current: number, ttl: number }) => void, timeWindow: number): void {
    countRequest.run(redis, [`local-send:requests:${key}`], [timeWindow]).then((reply) => {
      const [current, ttl] = listOf(reply)
      callback(null, { current: Number(current), ttl: Number(ttl) })
    }, callback)
  }

  /** The keys tell apart what is counted apart. */
  child (): FastifyRateLimitStore {
    return this
  }
}

/**
 * Places many sessions through the interface of one store, and sweeps them, in a process of its own. Reads its task as JSON from
 * TASK, writes what it found as JSON.
 */

import { Redis } from 'ioredis'
import { randomBytes } from '../../lib/crypto/bytes.js'
import { RedisConnection } from '../../lib/redis/redis-connection.js'
import { parseRedisUrl } from '../../lib/redis/redis-url.js'
import { takeCensus } from '../../lib/sessions/census.js'
import { EmbeddedStore } from '../../lib/sessions/embedded-store.js'
import { MemoryStore } from '../../lib/sessions/memory-store.js'
import { RedisStore } from '../../lib/sessions/redis-store.js'
import type { SessionStore } from '../../lib/sessions/store.js'
import { newFile, newRecord, NOW } from '../../test/sessions/records.js'

interface StoreTask {
  readonly store: 'memory' | 'embedded' | 'redis'
  readonly sessions: number
  readonly folder: string
  readonly redisUrl: string
}

/** Changes that are asked for at one time. */
const AT_ONCE = 200
/** One session in so many has expired, and one has a file that has ended, when the second sweep looks. */
const SHARE = 100
const LATER = NOW + 1000

const { store: kind, sessions, folder, redisUrl } = JSON.parse(process.env['TASK'] ?? '') as StoreTask
const secret = randomBytes(32)
const onError = (error: unknown): void => { throw error }

async function openStore (): Promise<SessionStore> {
  if (kind === 'memory') return new MemoryStore()
  if (kind === 'embedded') return await EmbeddedStore.open({ folder, secret, onError })
  return await RedisStore.open({ redis: await RedisConnection.open(parseRedisUrl(redisUrl)), secrets: { current: secret, previous: undefined }, onError })
}

async function seconds (action: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now()
  await action()
  return (performance.now() - begunAt) / 1000
}

function resident (): number {
  globalThis.gc?.()
  return process.memoryUsage.rss()
}

async function redisMemory (): Promise<number> {
  const redis = new Redis(redisUrl)
  const used = /^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1]
  redis.disconnect()
  return Number(used)
}

const store = await openStore()
const before = { own: resident(), redis: kind === 'redis' ? await redisMemory() : 0 }
const add = await seconds(async () => {
  for (let at = 0; at < sessions; at += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, sessions - at) }, async (_, i) => {
      const isDue = (at + i) % SHARE === 0
      let record
      // Of so many ids of 32 bits, two may be the same.
      do record = newRecord({ idleTimeout: isDue ? LATER - NOW : 3_600_000, files: [newFile(), newFile()] })
      while (await store.add(record, Number.POSITIVE_INFINITY) !== 'added')
      const { id } = record
      if ((at + i) % SHARE === 1) await store.update(id, (current) => ({ record: { ...current, files: [{ ...newFile(), endsAt: LATER }] }, outcome: true }))
    }))
  }
})
const after = { own: resident(), redis: kind === 'redis' ? await redisMemory() : 0 }
const sweepNothing = await seconds(async () => { await Promise.all([store.expired(NOW), store.withEndedFiles(NOW)]) })
let found = 0
const sweepSome = await seconds(async () => {
  for (const id of await store.expired(LATER)) if (await store.delete(id) !== undefined) found += 1
  for (const { id } of await store.withEndedFiles(LATER)) {
    await store.update(id, (record) => ({ record: { ...record, files: [] }, outcome: true }))
    found += 1
  }
})
if (found !== 2 * sessions / SHARE) throw new Error(`the sweep found ${found}`)
const census = await seconds(() => takeCensus(store.all()))
process.stdout.write(JSON.stringify({ own: after.own - before.own, redis: after.redis - before.redis, add, sweepNothing, sweepSome, census }))
await store.close()
process.exit(0)

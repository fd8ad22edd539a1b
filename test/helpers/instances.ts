import type { Test } from 'tap'
import { spawnServer, type ServerProcess } from './process.js'
import type { TestRedis } from './redis.js'
import { newSecret } from './restart.js'
import { temporaryFolder } from './server.js'

/** Settings of instances that share a Redis, a secret and a folder. */
export async function sharedSettings (t: Test, redis: TestRedis, more: Record<string, string> = {}): Promise<Record<string, string>> {
  return {
    SESSION_STORE: 'redis',
    REDIS_URL: redis.url,
    SESSION_KEY_SECRET: newSecret(),
    UPLOAD_FOLDER: await temporaryFolder(t),
    RATE_LIMIT_JOIN: '10000',
    RATE_LIMIT_CREATE: '10000',
    RATE_LIMIT_ANONYMOUS: '100000',
    ...more
  }
}

/** Instances as processes of their own. */
export const startInstances = async (t: Test, settings: Record<string, string>, count: number): Promise<ServerProcess[]> =>
  await Promise.all(Array.from({ length: count }, () => spawnServer(t, settings)))

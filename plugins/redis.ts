import fp from 'fastify-plugin'
import { RedisConnection } from '../lib/redis/redis-connection.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** What this instance shares with others; `null` where it is the only one. */
    readonly redis: RedisConnection | null
  }
}

/** The connection to Redis, where sessions are kept there: opened before everything that uses it, closed after it. */
export default fp(async (app) => {
  const { config, serviceEvents } = app
  const redis = config.SESSION_STORE === 'redis' && config.REDIS_URL !== undefined
    ? await RedisConnection.open(config.REDIS_URL, () => { serviceEvents.tell({ type: 'store.failed', store: 'records' }) })
    : null
  app.decorate('redis', redis)
  app.addHook('onClose', () => { redis?.close() })
}, { name: 'redis', dependencies: ['config', 'service-events'] })

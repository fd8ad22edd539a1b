import { join } from 'node:path'
import fp from 'fastify-plugin'
import type { FastifyInstance } from 'fastify'
import { EmbeddedStore } from '../lib/sessions/embedded-store.js'
import type { EventHub, SessionEnd } from '../lib/sessions/events.js'
import { MemoryEventHub } from '../lib/sessions/memory-event-hub.js'
import { MemoryStore } from '../lib/sessions/memory-store.js'
import type { RedisConnection } from '../lib/redis/redis-connection.js'
import { RedisEventHub } from '../lib/sessions/redis-event-hub.js'
import { RedisStore } from '../lib/sessions/redis-store.js'
import type { Secrets } from '../lib/sessions/sealing.js'
import type { SessionStore } from '../lib/sessions/store.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly sessionStore: SessionStore
    readonly eventHub: EventHub
    /** Registers who is to know what ends in other instances. */
    readonly onEndElsewhere: (listener: SessionEnd) => void
  }
}

/** Where session records are kept, and the way that events go: both in this process, or both shared with other instances. */
export default fp(async (app) => {
  const { config: { SESSION_KEY_SECRET: secret, SESSION_KEY_SECRET_PREVIOUS: previous }, redis } = app
  if (redis !== null && secret !== undefined) {
    await openShared(app, redis, { current: secret, previous })
    return
  }
  const store = await openLocal(app)
  app.addHook('onClose', () => store.close())
  app.decorate('sessionStore', store)
  app.decorate('eventHub', new MemoryEventHub())
  app.decorate('onEndElsewhere', () => {})
}, { name: 'session-store', dependencies: ['config', 'redis', 'service-events', 'folder'] })

async function openShared (app: FastifyInstance, redis: RedisConnection, secrets: Secrets): Promise<void> {
  const { log } = app
  const store = await RedisStore.open({ redis, secrets, onError: (error) => { log.error(error, 'a session record cannot be read') } })
  const hub = await RedisEventHub.open({ redis, secrets, onError: (error) => { log.error(error, 'an event was lost') } })
  hub.onEnd((id) => { store.forget(id) })
  app.addHook('onClose', async () => {
    await hub.idle()
    await store.close()
  })
  app.decorate('sessionStore', store)
  app.decorate('eventHub', hub)
  app.decorate('onEndElsewhere', (listener: SessionEnd) => { hub.onEnd(listener) })
  if (secrets.previous !== undefined) {
    app.addHook('onReady', () => {
      store.sealAgain().catch((error: unknown) => { log.error(error, 'not all records could be sealed under the current secret') })
    })
  }
}

async function openLocal ({ config, folder, log, serviceEvents }: FastifyInstance): Promise<SessionStore> {
  if (config.SESSION_STORE === 'memory') return new MemoryStore()
  const store = await EmbeddedStore.open({
    folder: join(folder.path, 'sessions'),
    secret: config.SESSION_KEY_SECRET,
    previousSecret: config.SESSION_KEY_SECRET_PREVIOUS,
    onError: (error) => { log.error(error, 'writing a session record failed') },
    onFailedWrite: () => { serviceEvents.tell({ type: 'store.failed', store: 'records' }) }
  })
  if (config.SESSION_KEY_SECRET === undefined) log.info('managed sessions end with this process: SESSION_KEY_SECRET is not set')
  if (store.unreadable > 0) log.warn({ removed: store.unreadable }, 'removed session records that cannot be read')
  return store
}

import fp from 'fastify-plugin'
import { EventStreams } from '../lib/sessions/event-streams.js'
import { Joins } from '../lib/sessions/joins.js'
import { MemoryEventHub } from '../lib/sessions/memory-event-hub.js'
import { MemoryStore } from '../lib/sessions/memory-store.js'
import { PasswordStretching } from '../lib/sessions/password-stretching.js'
import { SessionEvents } from '../lib/sessions/session-events.js'
import { Sessions } from '../lib/sessions/sessions.js'
import { Transfers } from '../lib/sessions/transfers.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly sessions: Sessions
    readonly joins: Joins
    readonly eventStreams: EventStreams
  }
}

const SECOND = 1000
/** The sweeper looks this often, or four times in a session's timeout if that is more often. */
const SWEEP_INTERVAL = 5 * SECOND

export interface SessionsOptions {
  /** Milliseconds since the epoch; tests set it forward. */
  readonly clock?: () => number
}

/** The sessions, and the one sweeper that ends those which have expired. */
export default fp<SessionsOptions>((app, { clock = Date.now }) => {
  const { config } = app
  const store = new MemoryStore()
  const stretching = new PasswordStretching()
  const hub = new MemoryEventHub()
  const sessions = new Sessions({
    store,
    stretching,
    clock,
    transfers: new Transfers(),
    events: new SessionEvents(hub),
    settings: {
      limits: {
        maxFileSize: config.MAX_FILE_SIZE,
        maxSessionSize: config.MAX_SESSION_SIZE,
        maxFiles: config.MAX_FILES,
        maxJoinAttempts: config.MAX_JOIN_ATTEMPTS
      },
      maxJoiners: config.MAX_JOINERS,
      maxSessions: config.MAX_SESSIONS,
      idleTimeout: config.SESSION_TIMEOUT * SECOND,
      maxAge: config.MAX_SESSION_AGE * SECOND
    }
  })
  const eventStreams = new EventStreams(sessions, hub)
  app.decorate('sessions', sessions)
  app.decorate('eventStreams', eventStreams)
  app.decorate('joins', new Joins({ sessions, store, stretching, clock }))

  const sweep = async (): Promise<void> => {
    const ended = await sessions.sweep()
    if (ended > 0) app.log.info({ ended }, 'sessions expired')
  }
  const sweeper = setInterval(() => {
    sweep().catch((error: unknown) => { app.log.error(error, 'the sweeper failed; it will try again') })
  }, Math.min(SWEEP_INTERVAL, config.SESSION_TIMEOUT * SECOND / 4))
  sweeper.unref()

  // So that the listening socket can close: it waits for the requests under way.
  app.addHook('preClose', async () => {
    clearInterval(sweeper)
    await Promise.all([sessions.transfers.stop(), eventStreams.stop()])
  })
  return Promise.resolve()
}, { name: 'sessions', dependencies: ['config'] })

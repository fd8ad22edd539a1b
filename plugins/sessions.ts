import fp from 'fastify-plugin'
import { AttemptWatch } from '../lib/sessions/attempt-watch.js'
import { EventStreams } from '../lib/sessions/event-streams.js'
import { Joins } from '../lib/sessions/joins.js'
import { PasswordStretching } from '../lib/sessions/password-stretching.js'
import { Relay } from '../lib/sessions/relay.js'
import { SessionEvents } from '../lib/sessions/session-events.js'
import { Sessions } from '../lib/sessions/sessions.js'
import { Transfers } from '../lib/sessions/transfers.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly sessions: Sessions
    readonly joins: Joins
    readonly relay: Relay
    readonly attemptWatch: AttemptWatch
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
  const { config, serviceEvents, draining, sessionStore: store, eventHub: hub } = app
  const stretching = new PasswordStretching()
  const sessions = new Sessions({
    store,
    stretching,
    draining,
    clock,
    transfers: new Transfers(serviceEvents),
    events: new SessionEvents(hub, serviceEvents),
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
  app.onEndElsewhere((id, participant) => { sessions.transfers.abort(id, participant) })
  const eventStreams = new EventStreams(sessions, hub)
  app.decorate('sessions', sessions)
  app.decorate('eventStreams', eventStreams)
  const attemptWatch = new AttemptWatch(sessions, hub, clock)
  app.decorate('attemptWatch', attemptWatch)
  app.decorate('relay', new Relay(sessions, clock))
  app.decorate('joins', new Joins({ sessions, store, stretching, clock }))

  const sweep = async (): Promise<void> => {
    const begunAt = performance.now()
    const tell = (outcome: 'completed' | 'failed'): void => { serviceEvents.tell({ type: 'sweep.ended', outcome, seconds: (performance.now() - begunAt) / SECOND }) }
    try {
      const ended = await sessions.sweep()
      tell('completed')
      if (ended > 0) app.log.info({ ended }, 'sessions expired')
    } catch (error) {
      tell('failed')
      throw error
    }
  }
  let sweeper: NodeJS.Timeout | undefined
  // First those that expired while no process was there; not before everybody has registered what is to be done then.
  app.addHook('onReady', async () => {
    await sweep()
    sweeper = setInterval(() => {
      sweep().catch((error: unknown) => { app.log.error(error, 'the sweeper failed; it will try again') })
    }, Math.min(SWEEP_INTERVAL, config.SESSION_TIMEOUT * SECOND / 4))
    sweeper.unref()
  })

  // So that the listening socket can close: it waits for the requests under way.
  app.addHook('preClose', async () => {
    clearInterval(sweeper)
    attemptWatch.stop()
    const underWay = sessions.transfers.size
    if (underWay > 0) app.log.info({ transfers: underWay, seconds: config.SHUTDOWN_GRACE }, 'letting transfers end')
    await sessions.transfers.stop(config.SHUTDOWN_GRACE * SECOND)
    // Not before: who follows a transfer learns how it ends.
    await eventStreams.stop()
  })
  return Promise.resolve()
}, { name: 'sessions', dependencies: ['config', 'service-events', 'session-store'] })

import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { LocalSendError } from '../lib/errors.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered while the server is stopping, too. */
    whileStopping?: boolean
  }
  interface FastifyRequest {
    /** Fires when the client has gone before it had the whole answer, or sends too little of a body that the handler reads itself. */
    readonly clientSignal: AbortSignal
    /** Watches from now on whether the body comes fast enough; to be called when it is asked for. */
    watchPace (): void
  }
}

const controllers = new WeakMap<FastifyRequest, AbortController>()
/** Bytes that a body must bring in every IDLE_TIMEOUT: enough for any network, too much for who only wants to hold a place. */
const LEAST_BYTES = 16 * 2 ** 10

/**
 * Who hung up, and which requests come too late. Registered before everything that waits in a hook: what closes a connection
 * meanwhile must not be missed.
 */
export default fp((app) => {
  let stopping = false
  app.addHook('preClose', (done) => {
    stopping = true
    done()
  })

  // Fastify's own request.signal fires as soon as a body has been read to its end.
  app.decorateRequest('clientSignal', { getter: clientSignal })
  app.decorateRequest('watchPace', function () { watchPace(this, app.config.IDLE_TIMEOUT * 1000) })
  app.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController()
    controllers.set(request, controller)
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) controller.abort(new LocalSendError('UPLOAD_INCOMPLETE'))
    })
    void reply.header('x-request-id', request.id)
    // RFC 9112, section 3.2.
    if (request.raw.httpVersion === '1.1' && request.raw.headers.host === undefined) {
      done(new LocalSendError('INVALID_REQUEST', { detail: 'It has no Host header.' }))
      return
    }
    if (!stopping || request.routeOptions.config.whileStopping === true) {
      done()
      return
    }
    // The next request, on a new connection, may find the next process.
    void reply.header('connection', 'close')
    done(new LocalSendError('SERVER_STOPPING', { retryAfter: 5 }))
  })
  return Promise.resolve()
}, { name: 'connection', dependencies: ['config'] })

function clientSignal (this: FastifyRequest): AbortSignal {
  return controllers.get(this)?.signal ?? AbortSignal.abort()
}

function watchPace (request: FastifyRequest, window: number): void {
  const { raw } = request
  let before = raw.socket.bytesRead
  const watch = setInterval(() => {
    const { bytesRead } = raw.socket
    if (!raw.complete && bytesRead - before < LEAST_BYTES) controllers.get(request)?.abort(new LocalSendError('UPLOAD_STALLED'))
    before = bytesRead
  }, window).unref()
  raw.once('close', () => { clearInterval(watch) })
}

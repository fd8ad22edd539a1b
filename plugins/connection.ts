import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { LocalSendError } from '../lib/errors.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Fires when the client has gone before it had the whole answer. */
    readonly clientSignal: AbortSignal
  }
}

const clientSignals = new WeakMap<FastifyRequest, AbortSignal>()

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
  app.addHook('onRequest', (request, reply, done) => {
    const controller = new AbortController()
    clientSignals.set(request, controller.signal)
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) controller.abort(new LocalSendError('UPLOAD_INCOMPLETE'))
    })
    void reply.header('x-request-id', request.id)
    done(stopping ? new LocalSendError('SERVER_STOPPING', { retryAfter: 5 }) : undefined)
  })
  return Promise.resolve()
}, { name: 'connection' })

function clientSignal (this: FastifyRequest): AbortSignal {
  return clientSignals.get(this) ?? AbortSignal.abort()
}

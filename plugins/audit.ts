import { AsyncLocalStorage } from 'node:async_hooks'
import fp from 'fastify-plugin'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isReported, reportOf } from '../lib/reports.js'

declare module 'fastify' {
  interface FastifyInstance {
    /** Lets audit lines name the requests of another server of this process, too. */
    readonly accountFor: (server: FastifyInstance) => void
  }
}

/**
 * One line of the log for each thing that an operator may have to account for, with `audit: true`: whose request it was, by
 * address and request id, and nothing secret. What no request caused, such as an expiry, has neither. They are written at every
 * LOG_LEVEL but `silent`: whoever wants fewer lines has not asked for no account.
 */
export default fp((app) => {
  const requests = new AsyncLocalStorage<FastifyRequest>()
  const accountFor = (server: FastifyInstance): void => {
    // Once the body has been read: what its arrival calls back does not belong to the request.
    server.addHook('preHandler', (request, _reply, done) => { requests.run(request, done) })
    // A refusal comes before that.
    server.addHook('preParsing', (request, _reply, payload, done) => { requests.run(request, () => { done(null, payload) }) })
  }
  app.decorate('accountFor', accountFor)
  if (app.config.LOG_LEVEL === 'silent') return Promise.resolve()
  accountFor(app)

  app.serviceEvents.listen((event) => {
    if (!isReported(event)) return
    const request = requests.getStore()
    const from = request === undefined ? {} : { address: request.ip }
    // Not the request's own log: another server may have none.
    const log = app.log.child(request === undefined ? {} : { reqId: request.id }, { level: 'info' })
    log.info({ audit: true, event: event.type, ...reportOf(event), ...from }, event.type)
  })
  return Promise.resolve()
}, { name: 'audit', dependencies: ['config', 'service-events'] })

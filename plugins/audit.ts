import { AsyncLocalStorage } from 'node:async_hooks'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { isReported, reportOf } from '../lib/reports.js'

/**
 * One line of the log for each thing that an operator may have to account for, with `audit: true`: whose request it was, by
 * address and request id, and nothing secret. What no request caused, such as an expiry, has neither. They are written at every
 * LOG_LEVEL but `silent`: whoever wants fewer lines has not asked for no account.
 */
export default fp((app) => {
  if (app.config.LOG_LEVEL === 'silent') return Promise.resolve()
  const requests = new AsyncLocalStorage<FastifyRequest>()
  // Once the body has been read: what its arrival calls back does not belong to the request.
  app.addHook('preHandler', (request, _reply, done) => { requests.run(request, done) })
  // A refusal comes before that.
  app.addHook('preParsing', (request, _reply, payload, done) => { requests.run(request, () => { done(null, payload) }) })

  app.serviceEvents.listen((event) => {
    if (!isReported(event)) return
    const request = requests.getStore()
    const from = request === undefined ? {} : { address: request.ip }
    const log = (request?.log ?? app.log).child({}, { level: 'info' })
    log.info({ audit: true, event: event.type, ...reportOf(event), ...from }, event.type)
  })
  return Promise.resolve()
}, { name: 'audit', dependencies: ['config', 'service-events'] })

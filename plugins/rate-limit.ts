import rateLimit, { normalizeIP } from '@fastify/rate-limit'
import fp from 'fastify-plugin'
import type { FastifyRequest, RouteOptions } from 'fastify'
import { LocalSendError } from '../lib/errors.js'
import { areaOf } from './operator.js'
import { sharedCounts } from './shared-counts.js'

/** How tightly a route is limited for callers without a token; `false`: not at all (health checks). */
export type LimitClass = 'create' | 'join' | false

declare module 'fastify' {
  interface FastifyContextConfig {
    limit?: LimitClass
  }
}

/**
 * Requests are counted by participant where there is a valid token, by address otherwise (an IPv6 address by its /64): a made-up
 * token must not give a stranger a count of his own. Who tries the operator's tokens has a count that is soon full.
 */
export default fp(async (app) => {
  const { config } = app
  const strangerMax = { create: config.RATE_LIMIT_CREATE, join: config.RATE_LIMIT_JOIN }

  // Before @fastify/rate-limit, whose own hook reads what this one writes.
  app.addHook('onRoute', (route: RouteOptions) => {
    const limit = route.config?.limit
    if (limit === undefined) return
    route.config = { ...route.config, rateLimit: limit === false ? false : { max: strangerMax[limit], keyGenerator: (request: FastifyRequest) => `${limit} ${byAddress(request)}` } }
  })

  await app.register(rateLimit, {
    global: true,
    hook: 'onRequest',
    timeWindow: config.RATE_LIMIT_WINDOW * 1000,
    max: (request) => {
      if (request.isOperator || request.caller !== null) return config.RATE_LIMIT_TOKEN
      return areaOf(request) === undefined ? config.RATE_LIMIT_ANONYMOUS : config.RATE_LIMIT_OPERATOR
    },
    keyGenerator: (request) => {
      if (request.caller !== null) return `participant ${request.caller.session.id} ${request.caller.id}`
      if (areaOf(request) === undefined) return byAddress(request)
      return request.isOperator ? 'operator' : `operator's ${byAddress(request)}`
    },
    cache: 50_000,
    ...(app.redis !== null && { store: sharedCounts(app.redis) }),
    errorResponseBuilder: tooMany
  })
}, { name: 'rate-limit', dependencies: ['config', 'redis', 'auth', 'operator'] })

/** What those without a token are counted by. */
export const byAddress = (request: FastifyRequest): string => `address ${normalizeIP(request.ip)}`

/** What is answered over the limit. */
export const tooMany = (_request: FastifyRequest, { ttl }: { readonly ttl: number }): LocalSendError =>
  new LocalSendError('TOO_MANY_REQUESTS', { retryAfter: Math.ceil(ttl / 1000) })

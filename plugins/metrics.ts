import cluster from 'node:cluster'
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { AggregatorRegistry, Registry } from 'prom-client'
import { Colleagues } from '../lib/across-workers.js'
import { LocalSendError } from '../lib/errors.js'
import errorsPlugin from './errors.js'
import { countEvents, gaugeState, measureRequests } from './instruments.js'
import { bears } from './operator.js'
import { byAddress, tooMany } from './rate-limit.js'

/**
 * What monitoring asks for, in the format of Prometheus: at /metrics on a port of its own (METRICS_PORT), or for who has METRICS_TOKEN.
 * Without either nothing is counted. Whichever of several workers is asked answers for all of them. docs/monitoring.md has every metric.
 */
export default fp<{ version: string }>(async (app, { version }) => {
  const { METRICS_PORT: port, METRICS_TOKEN: token, METRICS_HOST: host, RATE_LIMIT_OPERATOR: limit, RATE_LIMIT_WINDOW: window } = app.config
  if (port === undefined && token === undefined) return
  const registry = new Registry()
  countEvents(registry, app)
  gaugeState(registry, app, version)
  measureRequests(registry, app)
  const colleagues = cluster.isWorker ? new Colleagues(() => registry.getMetricsAsJSON()) : undefined
  app.addHook('onClose', () => { colleagues?.close() })
  const read = async (): Promise<string> => {
    if (colleagues === undefined) return await registry.metrics()
    const all = await colleagues.ask()
    // Less than all would look like a restart.
    if (all === undefined) throw new LocalSendError('SERVER_BUSY', { retryAfter: 5 })
    return await AggregatorRegistry.aggregate(all.filter((part) => typeof part === 'object' && part !== null)).metrics()
  }

  if (port === undefined) {
    app.get('/metrics', { config: { access: 'metrics', whileStopping: true }, schema: { hide: true } }, async (_request, reply) =>
      await reply.type(registry.contentType).send(await read()))
    return
  }
  const own = Fastify({ logger: false, genReqId: () => crypto.randomUUID() })
  app.accountFor(own)
  await own.register(errorsPlugin)
  if (token !== undefined) await own.register(rateLimit, { max: limit, timeWindow: window * 1000, keyGenerator: byAddress, allowList: (request) => bears(request, token), errorResponseBuilder: tooMany })
  const refuseGuess = async (request: FastifyRequest): Promise<void> => {
    if (token === undefined || await bears(request, token)) return
    app.serviceEvents.tell({ type: 'operator.refused', area: 'metrics' })
    throw new LocalSendError('OPERATOR_ONLY')
  }
  // Behind the limit, which is a hook of onRequest.
  own.get('/metrics', { preParsing: refuseGuess }, async (_request, reply) => {
    return await reply.type(registry.contentType).send(await read())
  })
  // Before the server takes its first request: a port that is not to be had stops the start.
  app.addHook('onReady', async () => { app.log.info(`metrics at ${await own.listen({ host, port })}/metrics`) })
  app.addHook('onClose', () => own.close())
}, { name: 'metrics', dependencies: ['config', 'audit', 'operator', 'sessions', 'files', 'webhook'] })

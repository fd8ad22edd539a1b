import Fastify from 'fastify'
import fp from 'fastify-plugin'
import { Registry } from 'prom-client'
import { LocalSendError } from '../lib/errors.js'
import errorsPlugin from './errors.js'
import { countEvents, gaugeState, measureRequests } from './instruments.js'
import { bears } from './operator.js'

/**
 * What monitoring asks for, in the format of Prometheus: at /metrics on a port of its own (METRICS_PORT), or for who has METRICS_TOKEN.
 * Without either nothing is counted. docs/monitoring.md has every metric.
 */
export default fp<{ version: string }>(async (app, { version }) => {
  const { METRICS_PORT: port, METRICS_TOKEN: token, METRICS_HOST: host } = app.config
  if (port === undefined && token === undefined) return
  const registry = new Registry()
  countEvents(registry, app)
  gaugeState(registry, app, version)
  measureRequests(registry, app)

  if (port === undefined) {
    app.get('/metrics', { config: { access: 'metrics', whileStopping: true }, schema: { hide: true } }, async (_request, reply) =>
      await reply.type(registry.contentType).send(await registry.metrics()))
    return
  }
  const own = Fastify({ logger: false })
  await own.register(errorsPlugin)
  own.get('/metrics', async (request, reply) => {
    if (token !== undefined && !await bears(request, token)) throw new LocalSendError('OPERATOR_ONLY')
    return await reply.type(registry.contentType).send(await registry.metrics())
  })
  // Before the server takes its first request: a port that is not to be had stops the start.
  app.addHook('onReady', async () => { app.log.info(`metrics at ${await own.listen({ host, port })}/metrics`) })
  app.addHook('onClose', () => own.close())
}, { name: 'metrics', dependencies: ['config', 'operator', 'sessions', 'files', 'webhook'] })

import fp from 'fastify-plugin'
import { isReported, reportOf } from '../lib/reports.js'
import { Webhook } from '../lib/webhook.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly webhook: Webhook | undefined
  }
}

/** Posts what the operator wants to learn at once (WEBHOOK_EVENTS) to WEBHOOK_URL. */
export default fp((app) => {
  const { config, serviceEvents } = app
  const { WEBHOOK_URL: url, WEBHOOK_SECRET: secret } = config
  if (url === undefined || secret === undefined) {
    app.decorate('webhook', undefined)
    return Promise.resolve()
  }
  const webhook = new Webhook({
    url,
    secret,
    onSettled: (outcome, reason) => {
      serviceEvents.tell({ type: 'webhook.settled', outcome })
      if (outcome !== 'delivered') app.log.warn({ reason }, `a message of the webhook was ${outcome === 'failed' ? 'given up' : 'dropped'}`)
    }
  })
  app.decorate('webhook', webhook)
  serviceEvents.listen((event) => {
    if (isReported(event) && config.WEBHOOK_EVENTS.includes(event.type)) webhook.post(event.type, reportOf(event))
  })
  app.addHook('onClose', () => webhook.stop())
  return Promise.resolve()
}, { name: 'webhook', dependencies: ['config', 'service-events'] })

import fp from 'fastify-plugin'
import { Draining } from '../lib/draining.js'
import { ServiceEvents } from '../lib/service-events.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly serviceEvents: ServiceEvents
    readonly draining: Draining
  }
}

/** Where services tell what happens. Registered before them, and before those who listen: these stop after the services have. */
export default fp((app) => {
  const serviceEvents = new ServiceEvents()
  app.decorate('serviceEvents', serviceEvents)
  app.decorate('draining', new Draining(serviceEvents))
  return Promise.resolve()
}, { name: 'service-events' })

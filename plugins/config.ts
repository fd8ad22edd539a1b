import fp from 'fastify-plugin'
import type { Config } from '../lib/config.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly config: Config
  }
}

/** The settings, as `app.config`. */
export default fp<{ config: Config }>((app, { config }) => {
  app.decorate('config', config)
  return Promise.resolve()
}, { name: 'config' })

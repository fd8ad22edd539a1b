import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { unlimitedErrorAnswers } from './schemas.js'

const Health = Type.Object({
  status: Type.Literal('ok'),
  version: Type.String(),
  uptime: Type.Number({ description: 'Seconds since the server started' })
}, { description: 'The server runs' })
const Alive = Type.Object({ status: Type.Literal('ok') }, { description: 'It is so' })

/** Whether the process lives, and whether it should be sent requests. */
const health: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  const config = { access: 'anyone', limit: false } as const
  // A server that lets its last transfers end is neither ill nor dead; it only is to be sent nothing more.
  const always = { ...config, whileStopping: true }
  const errors = unlimitedErrorAnswers()

  app.get('/health', {
    config: always,
    schema: { tags: ['health'], operationId: 'health', summary: 'Status, version and uptime', response: { 200: Health, ...errors } }
  }, () => ({ status: 'ok' as const, version, uptime: process.uptime() }))

  app.get('/health/live', {
    config: always,
    schema: { tags: ['health'], operationId: 'live', summary: 'The process runs', response: { 200: Alive, ...errors } }
  }, () => ({ status: 'ok' as const }))

  app.get('/health/ready', {
    config,
    schema: { tags: ['health'], operationId: 'ready', summary: 'The server takes new sessions, and what it keeps them and their files in can be used', response: { 200: Alive, ...unlimitedErrorAnswers('SERVER_DRAINING', 'STORAGE_UNAVAILABLE', 'STORE_UNAVAILABLE') } }
  }, async () => {
    app.draining.check()
    await app.redis?.ping()
    await app.blobs.check()
    return { status: 'ok' as const }
  })
  return Promise.resolve()
}

export default health

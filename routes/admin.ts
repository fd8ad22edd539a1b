import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from 'typebox'
import { LocalSendError } from '../lib/errors.js'
import { takeCensus } from '../lib/sessions/census.js'
import { pageOfSessions } from '../lib/sessions/session-pages.js'
import { AdminPageQuery, AdminSessionParams, AdminSessions, Drain, Totals } from './admin-schemas.js'
import { presentAdminSession } from './presenters.js'
import { errorAnswers } from './schemas.js'

/** What JSON can say of a number that may be without end. */
const finite = (value: number): number | null => Number.isFinite(value) ? value : null

/** The operator's way in. Registered only where there is an ADMIN_TOKEN. */
const admin: FastifyPluginAsyncTypebox<{ version: string }> = async (app, { version }) => {
  const config = { access: 'admin' } as const
  const { sessions, storageQuota, draining } = app
  const { transfers } = sessions

  app.get('/sessions', {
    config,
    schema: {
      tags: ['admin'],
      operationId: 'adminSessions',
      summary: 'List sessions',
      querystring: AdminPageQuery,
      response: { 200: AdminSessions, ...errorAnswers('INVALID_REQUEST', 'OPERATOR_ONLY') }
    }
  }, async ({ query: { limit = 100, cursor, status } }) => {
    const { page, next } = await pageOfSessions(sessions.all(), { limit, after: cursor, status })
    return {
      sessions: page.map((session) => presentAdminSession(session, storageQuota.of(session), transfers.active({ sessionId: session.id }))),
      next_cursor: next
    }
  })

  app.delete('/sessions/:id', {
    config,
    schema: {
      tags: ['admin'],
      operationId: 'adminClose',
      summary: 'End a session',
      description: 'What its creator could do: its key is forgotten, its transfers end, its files are removed.',
      params: AdminSessionParams,
      response: { 204: Type.Null({ description: 'Ended' }), ...errorAnswers('INVALID_REQUEST', 'OPERATOR_ONLY', 'SESSION_NOT_FOUND') }
    }
  }, async (request, reply) => {
    if (!await sessions.close(request.params.id, 'revoked')) throw new LocalSendError('SESSION_NOT_FOUND')
    return reply.code(204).send(null)
  })

  app.get('/totals', {
    config,
    schema: { tags: ['admin'], operationId: 'adminTotals', summary: 'What there is, in numbers', response: { 200: Totals, ...errorAnswers('OPERATOR_ONLY') } }
  }, async () => ({
    version,
    uptime: process.uptime(),
    draining: draining.isOn,
    ...await takeCensus(sessions.all()),
    max_sessions: app.config.MAX_SESSIONS,
    stored_bytes: storageQuota.total,
    max_stored_bytes: finite(app.config.MAX_STORAGE),
    disk_free_bytes: finite(await app.blobs.freeSpace()),
    transfers: { upload: transfers.active({ direction: 'upload' }), download: transfers.active({ direction: 'download' }) },
    transferred_bytes: { upload: transfers.moved('upload'), download: transfers.moved('download') },
    event_streams: app.eventStreams.size
  }))

  const drainState = async () => {
    const { sessions: counts } = await takeCensus(sessions.all())
    return { draining: draining.isOn, sessions: Object.values(counts).flatMap((ofKind) => Object.values(ofKind)).reduce((sum, count) => sum + count, 0), transfers: transfers.size }
  }

  app.post('/drain', {
    config,
    schema: {
      tags: ['admin'],
      operationId: 'adminDrain',
      summary: 'Take no new sessions',
      description: 'Sessions that there are go on, joins included. /health/ready answers 503, and create SERVER_DRAINING, until DELETE or the end of the process.',
      response: { 200: Drain, ...errorAnswers('OPERATOR_ONLY') }
    }
  }, async () => {
    draining.turn(true)
    return await drainState()
  })

  app.delete('/drain', {
    config,
    schema: { tags: ['admin'], operationId: 'adminResume', summary: 'Take new sessions again', response: { 200: Drain, ...errorAnswers('OPERATOR_ONLY') } }
  }, async () => {
    draining.turn(false)
    return await drainState()
  })
  return Promise.resolve()
}

export default admin

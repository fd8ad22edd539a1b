import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { EventStream, LINGER } from './event-stream.js'
import { errorAnswers, EventHeaders, FILE_IDS_LIMIT, FileIdsBody, FileParams, SessionParams } from './schemas.js'

const EVENTS = `Server-sent events, for \`EventSource\` or \`curl -N\`. Read the state of the session when the stream is open, and then follow it.
With \`Last-Event-ID\`, which browsers send by themselves, nothing is left out that the server still remembers; otherwise the stream begins
with \`reset\`: read status and files anew. Ids say nothing but where to go on. Listening does not keep a session alive. The stream ends
with \`session.closed\`, when its participant leaves, and when the server stops.

| event | data | |
|---|---|---|
| \`join.requested\` | \`join_id\` | somebody has the right code and tries to join |
| \`join.answered\` | \`join_id\` | in an end-to-end session: its creator has answered |
| \`join.confirmed\` | \`join_id\` | in an end-to-end session: the joiner's confirmation has come, for the creator to decide |
| \`join.joined\` | \`join_id\` | and is a participant now |
| \`join.refused\` | \`join_id\` or null, \`reason\` | \`code\` and \`password\`: wrong, and counted; \`rejected\`: by the creator, and counted; \`full\`: no place left; \`given-up\`: undecided. An attempt that is never confirmed lapses without an event |
| \`session.locked\` | | by too many wrong joins |
| \`file.started\` | \`file_id\`, \`filename\`, \`size\` or null, \`uploaded_by\` | in an end-to-end session without names and digests |
| \`file.progress\` | \`file_id\`, \`offset\`, \`size\` or null | twice a second at most |
| \`file.ready\` | \`file_id\`, \`filename\`, \`size\`, \`sha256\`, \`uploaded_by\` | |
| \`file.received\` | \`file_id\`, \`filename\`, \`role\`, \`join_id\` of a joiner | a participant says so |
| \`file.deleted\` | \`file_id\`, \`filename\` | also: the upload failed |
| \`participant.left\` | \`role\`, \`join_id\` of a joiner | |
| \`session.closed\` | | by its creator, or it expired |
| \`reset\` | | events were missed |`

/** What happens in a session, and what its receivers add to it. */
const events: FastifyPluginAsyncTypebox<{ heartbeat: number }> = async (app, { heartbeat }) => {
  app.get('/:id/events', {
    // Nobody would ever read, nor end, the stream of an answer to HEAD.
    exposeHeadRoute: false,
    config: { access: 'participant', use: false },
    schema: {
      tags: ['session'],
      operationId: 'events',
      summary: 'Follow what happens',
      description: EVENTS,
      produces: ['text/event-stream'],
      params: SessionParams,
      headers: EventHeaders,
      response: {
        200: { description: 'The events', content: { 'text/event-stream': { schema: Type.String() } } },
        ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'SESSION_CLOSED')
      }
    }
  }, async (request, reply) => {
    const { session, id } = request.participant()
    const stream = new EventStream(heartbeat)
    const close = await app.eventStreams.open(session.id, id, request.headers['last-event-id'], stream)
    stream.once('close', () => {
      close()
      // What has left the stream may still wait for a client that does not read.
      setTimeout(() => { reply.raw.destroy() }, LINGER).unref()
    })
    return describe(reply).send(stream)
  })

  app.post('/:id/files/:file_id/received', {
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'receivedFile',
      summary: 'Say that a file was received',
      description: 'For a participant who has verified it, not for its uploader. The others learn it by the event `file.received`.',
      params: FileParams,
      response: { 204: Type.Null({ description: 'Noted' }), ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'OWN_FILE', 'CROSS_ORIGIN', 'FILE_NOT_FOUND', 'SESSION_CLOSED') }
    }
  }, async (request, reply) => {
    await app.files.markReceived(request.participant(), [request.params.file_id])
    return reply.code(204).send(null)
  })

  app.post('/:id/received', {
    bodyLimit: FILE_IDS_LIMIT,
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'receivedFiles',
      summary: 'Say that files were received',
      description: 'The same for many at once: all are noted, or none.',
      params: SessionParams,
      body: FileIdsBody,
      response: { 204: Type.Null({ description: 'Noted' }), ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'OWN_FILE', 'CROSS_ORIGIN', 'FILE_NOT_FOUND', 'SESSION_CLOSED') }
    }
  }, async (request, reply) => {
    await app.files.markReceived(request.participant(), request.body.file_ids)
    return reply.code(204).send(null)
  })
  return Promise.resolve()
}

const describe = (reply: FastifyReply): FastifyReply => reply.headers({
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
  // A connection that stays open behind the last event would keep the server from stopping.
  connection: 'close'
})

export default events

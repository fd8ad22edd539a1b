import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { create as contentDisposition } from 'content-disposition'
import { Type } from 'typebox'
import { errorAnswers, SessionParams } from './schemas.js'

/** All files of a session at once. */
const archive: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/:id/archive', {
    exposeHeadRoute: false,
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'archive',
      summary: 'Download all files',
      description: 'Of a managed session. A zip of the files that are complete, not compressed; those of the same name are numbered. It counts as a download of each, and is refused if one of them may not be downloaded any more. A file that is damaged breaks the connection.',
      params: SessionParams,
      response: {
        200: { description: 'The archive', content: { 'application/zip': { schema: Type.String({ format: 'binary' }) } } },
        ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'FILE_NOT_FOUND', 'SESSION_CLOSED', 'WRONG_KIND', 'DOWNLOADS_USED_UP', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE')
      }
    }
  }, async (request, reply) => {
    const { length, stream } = await app.archives.archive(request.participant(), request.clientSignal)
    return describe(reply, `local-send-${request.params.id}.zip`, length).send(stream)
  })
  return Promise.resolve()
}

const describe = (reply: FastifyReply, name: string, length: number | null): FastifyReply => reply.headers({
  'content-type': 'application/zip',
  ...(length !== null && { 'content-length': length }),
  'content-disposition': contentDisposition(name),
  'cache-control': 'private, no-store',
  'content-security-policy': 'sandbox'
})

export default archive

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { create as contentDisposition } from 'content-disposition'
import { Type } from 'typebox'
import { fromHex } from '../lib/crypto/bytes.js'
import { LocalSendError } from '../lib/errors.js'
import { requestedRange } from '../lib/files/ranges.js'
import type { StoredFile } from '../lib/sessions/session.js'
import { pageOfFiles } from '../lib/sessions/session-files.js'
import { presentFile } from './presenters.js'
import { DownloadHeaders, errorAnswers, FileList, FileListQuery, FileParams, SessionParams, Uploaded } from './schemas.js'

/** What boundaries, headers and fields of a multipart body may take: with less, a body of many small files would be refused for its length. */
const MULTIPART_OVERHEAD = 2 ** 20

const DownloadErrors = errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'FILE_NOT_FOUND', 'DOWNLOADS_USED_UP', 'RANGE_NOT_SATISFIABLE', 'CONTAINER_DAMAGED', 'SERVER_BUSY')

/** The files of a session. */
const files: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/:id/upload', {
    config: { access: 'participant', body: 'streamed' },
    schema: {
      tags: ['files'],
      operationId: 'upload',
      summary: 'Upload files',
      description: 'multipart/form-data with any number of parts `file`, each with an optional field `sha256` before it. All files are stored, or none.',
      consumes: ['multipart/form-data'],
      params: SessionParams,
      response: {
        201: Uploaded,
        ...errorAnswers('MULTIPART_MALFORMED', 'MULTIPART_UNEXPECTED', 'NO_FILE', 'TOO_MANY_PARTS', 'UPLOAD_INCOMPLETE', 'UNAUTHORIZED', 'JOIN_PENDING', 'CROSS_ORIGIN', 'SESSION_CLOSED', 'FILE_TOO_LARGE', 'SESSION_SIZE_EXCEEDED', 'TOO_MANY_FILES', 'UNSUPPORTED_MEDIA_TYPE', 'FILE_TYPE_NOT_ALLOWED', 'CHECKSUM_MISMATCH', 'SERVER_BUSY', 'STORAGE_FULL')
      }
    }
  }, async (request, reply) => {
    const expected = Math.max(0, Number(request.headers['content-length'] ?? 0) - MULTIPART_OVERHEAD)
    const stored = await app.files.upload(request.participant(), request.incomingFiles(), expected, request.clientSignal)
    return reply.code(201).send({ files: stored.map(presentFile) })
  })

  app.get('/:id/files', {
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'files',
      summary: 'List files',
      params: SessionParams,
      querystring: FileListQuery,
      response: { 200: FileList, ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING') }
    }
  }, (request) => {
    const { limit = 100, cursor } = request.query
    const { files, next } = pageOfFiles(request.participant().session, limit, Number(cursor ?? 0))
    return { files: files.map(presentFile), next_cursor: next?.toString() ?? null }
  })

  app.head('/:id/download/:file_id', {
    config: { access: 'participant', swagger: { exposeHeadRoute: true } },
    schema: {
      tags: ['files'],
      operationId: 'download',
      summary: 'Headers of a download',
      params: FileParams,
      response: { 200: Type.Null({ description: 'The headers that a download of the whole file has' }), ...DownloadErrors }
    }
  }, async (request, reply) => {
    const file = app.files.find(request.participant().session, request.params.file_id)
    return describe(reply, file).header('content-length', file.size).send()
  })

  app.get('/:id/download/:file_id', {
    exposeHeadRoute: false,
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'download',
      summary: 'Download a file',
      description: 'A single `Range` is answered with 206. Repr-Digest is the SHA-256 of the whole file.',
      produces: ['application/octet-stream'],
      params: FileParams,
      headers: DownloadHeaders,
      response: {
        200: { description: 'The file', content: { 'application/octet-stream': { schema: Type.String({ format: 'binary' }) } } },
        206: { description: 'The range', content: { 'application/octet-stream': { schema: Type.String({ format: 'binary' }) } } },
        ...DownloadErrors
      }
    }
  }, async (request, reply) => {
    const participant = request.participant()
    const file = app.files.find(participant.session, request.params.file_id)
    const range = requestedRange(file.size, etag(file), request.headers.range, request.headers['if-range'])
    if (range === 'unsatisfiable') {
      void reply.header('content-range', `bytes */${file.size}`)
      throw new LocalSendError('RANGE_NOT_SATISFIABLE')
    }
    const { start, end } = range === 'whole' ? { start: 0, end: file.size } : range
    const content = await app.files.download(participant, file, { start, end }, request.clientSignal)
    if (range !== 'whole') void reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${file.size}`)
    return describe(reply, file).header('content-length', end - start).send(content)
  })

  app.delete('/:id/files/:file_id', {
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'deleteFile',
      summary: 'Delete a file',
      description: 'Its uploader and the creator of the session may.',
      params: FileParams,
      response: { 204: Type.Null({ description: 'Deleted' }), ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'NOT_YOUR_FILE', 'CROSS_ORIGIN', 'FILE_NOT_FOUND', 'SESSION_CLOSED') }
    }
  }, async (request, reply) => {
    await app.files.delete(request.participant(), request.params.file_id)
    return reply.code(204).send(null)
  })
  return Promise.resolve()
}

const etag = ({ sha256 }: StoredFile): string => `"${sha256}"`

/** The headers that a file has in whatever way it is downloaded. */
const describe = (reply: FastifyReply, file: StoredFile): FastifyReply => reply.headers({
  'content-type': 'application/octet-stream',
  'content-disposition': contentDisposition(file.name),
  'accept-ranges': 'bytes',
  etag: etag(file),
  'repr-digest': `sha-256=:${Buffer.from(fromHex(file.sha256)).toString('base64')}:`,
  'cache-control': 'private, no-store',
  'content-security-policy': 'sandbox'
})

export default files

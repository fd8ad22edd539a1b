import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { create as contentDisposition } from 'content-disposition'
import { Type } from 'typebox'
import { fromHex } from '../lib/crypto/bytes.js'
import { LocalSendError } from '../lib/errors.js'
import { requestedRange } from '../lib/files/ranges.js'
import type { OpenUpload, StoredFile } from '../lib/sessions/session.js'
import { isUpload } from '../lib/sessions/session-files.js'
import { Downloaded, DownloadedRange } from './answer-headers.js'
import { presentFile, presentUpload } from './presenters.js'
import { DownloadHeaders, errorAnswers, FILE_IDS_LIMIT, FileIdsBody, FileList, FileListQuery, FileParams, SessionParams, Uploaded } from './schemas.js'

/** What boundaries, headers and fields of a multipart body may take: with less, a body of many small files would be refused for its length. */
const MULTIPART_OVERHEAD = 2 ** 20

const DownloadErrors = errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'FILE_NOT_FOUND', 'UPLOAD_STALLED', 'DOWNLOADS_USED_UP', 'RANGE_NOT_SATISFIABLE', 'CONTAINER_DAMAGED', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE')

/** The files of a session. */
const files: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/:id/upload', {
    config: { access: 'participant', body: 'streamed' },
    schema: {
      tags: ['files'],
      operationId: 'upload',
      summary: 'Upload files',
      description: 'multipart/form-data with any number of parts `file`, each with optional fields `sha256`, `max_downloads` and `expires_in` (seconds) before it; in an end-to-end session with `file_id` and sealed `metadata`, and the container as the file. All files are stored, or none.',
      consumes: ['multipart/form-data'],
      params: SessionParams,
      response: {
        201: Uploaded,
        ...errorAnswers('MULTIPART_MALFORMED', 'MULTIPART_UNEXPECTED', 'NO_FILE', 'TOO_MANY_PARTS', 'UPLOAD_INCOMPLETE', 'UPLOAD_STALLED', 'UNAUTHORIZED', 'JOIN_PENDING', 'CROSS_ORIGIN', 'SESSION_CLOSED', 'FILE_EXISTS', 'CONTAINER_REFUSED', 'FILE_TOO_LARGE', 'SESSION_SIZE_EXCEEDED', 'TOO_MANY_FILES', 'UNSUPPORTED_MEDIA_TYPE', 'FILE_TYPE_NOT_ALLOWED', 'CHECKSUM_MISMATCH', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE', 'STORAGE_FULL')
      }
    }
  }, async (request, reply) => {
    const expected = Math.max(0, Number(request.headers['content-length'] ?? 0) - MULTIPART_OVERHEAD)
    const stored = await app.wholeUploads.upload(request.participant(), request.incomingFiles(), expected, request.clientSignal)
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
    const { files, next } = app.files.page(request.participant().session, limit, Number(cursor ?? 0))
    const present = (entry: StoredFile | OpenUpload) =>
      isUpload(entry) ? presentUpload(entry, app.uploadActivity.receivedOf(entry)) : presentFile(entry)
    return { files: files.map(present), next_cursor: next?.toString() ?? null }
  })

  app.head('/:id/download/:file_id', {
    config: { access: 'participant', swagger: { exposeHeadRoute: true } },
    schema: {
      tags: ['files'],
      operationId: 'download',
      summary: 'Headers of a download',
      params: FileParams,
      response: { 200: Type.Null({ description: 'The headers that a download of the whole file has', headers: Downloaded }), ...DownloadErrors }
    }
  }, async (request, reply) => {
    const entry = app.files.find(request.participant().session, request.params.file_id)
    const size = sizeOf(entry)
    return describe(reply, entry).headers({ ...(size !== null && { 'content-length': size }) }).send()
  })

  app.get('/:id/download/:file_id', {
    exposeHeadRoute: false,
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'download',
      summary: 'Download a file',
      description: 'A single `Range` is answered with 206. Repr-Digest is the SHA-256 of the whole file. A file that is still being uploaded is sent as it comes; if its sender stops, the connection breaks.',
      produces: ['application/octet-stream'],
      params: FileParams,
      headers: DownloadHeaders,
      response: {
        200: { description: 'The file', headers: Downloaded, content: { 'application/octet-stream': { schema: Type.String({ format: 'binary' }) } } },
        206: { description: 'The range', headers: DownloadedRange, content: { 'application/octet-stream': { schema: Type.String({ format: 'binary' }) } } },
        ...DownloadErrors
      }
    }
  }, async (request, reply) => {
    const participant = request.participant()
    const entry = app.files.find(participant.session, request.params.file_id)
    const size = sizeOf(entry)
    const range = size === null ? 'whole' : requestedRange(size, etag(entry), request.headers.range, request.headers['if-range'])
    if (range === 'unsatisfiable') {
      void reply.header('content-range', `bytes */${size ?? '*'}`)
      throw new LocalSendError('RANGE_NOT_SATISFIABLE')
    }
    const { start, end } = range === 'whole' ? { start: 0, end: size } : range
    const content = await app.downloads.download(participant, entry, { start, end }, request.clientSignal)
    if (range !== 'whole') void reply.code(206).header('content-range', `bytes ${range.start}-${range.end - 1}/${size ?? '*'}`)
    // Of an upload whose length nobody knows, the end is told by the last chunk of the answer.
    if (end !== null) void reply.header('content-length', end - start)
    return describe(reply, entry).send(content)
  })

  app.post('/:id/download', {
    bodyLimit: FILE_IDS_LIMIT,
    config: { access: 'participant' },
    schema: {
      tags: ['files'],
      operationId: 'downloadFiles',
      summary: 'Download many files',
      description: 'Their bytes one behind the other, in the order in which they are asked for: the sizes in the list say where one ends. For many small files, of which each would be a request. It counts as a download of each.',
      params: SessionParams,
      body: FileIdsBody,
      response: {
        200: { description: 'The files', content: { 'application/octet-stream': { schema: Type.String({ format: 'binary' }) } } },
        ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'CROSS_ORIGIN', 'FILE_NOT_FOUND', 'SESSION_CLOSED', 'DOWNLOADS_USED_UP', 'CONTAINER_DAMAGED', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE')
      }
    }
  }, async (request, reply) => {
    const { length, stream } = await app.downloads.downloadMany(request.participant(), request.body.file_ids, request.clientSignal)
    return describeBytes(reply).headers({ ...(length !== null && { 'content-length': length }) }).send(stream)
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

/** Bytes of the whole file; `null` while nobody knows. */
const sizeOf = (entry: StoredFile | OpenUpload): number | null => isUpload(entry) ? entry.length : entry.size

/** A file never changes under its id, and what is downloaded of an upload under way is the same file. */
const etag = ({ id }: StoredFile | OpenUpload): string => `"${id}"`

/** The headers of everything that is downloaded. */
const describeBytes = (reply: FastifyReply): FastifyReply => reply.headers({
  'content-type': 'application/octet-stream',
  'cache-control': 'private, no-store',
  'content-security-policy': 'sandbox'
})

/** The headers that a file has in whatever way it is downloaded. */
const describe = (reply: FastifyReply, entry: StoredFile | OpenUpload): FastifyReply => describeBytes(reply).headers({
  'content-disposition': contentDisposition(entry.name ?? `${entry.id}.lsf`),
  etag: etag(entry),
  ...(sizeOf(entry) !== null && { 'accept-ranges': 'bytes' }),
  ...(!isUpload(entry) && entry.sha256 !== null && { 'repr-digest': `sha-256=:${Buffer.from(fromHex(entry.sha256)).toString('base64')}:` })
})

export default files

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { LocalSendError } from '../lib/errors.js'
import type { Piece, Progress } from '../lib/files/upload-writer.js'
import { isUpload } from '../lib/sessions/session-files.js'
import { expiresAt, type SessionRecord } from '../lib/sessions/session.js'
import { TusAbilities, UploadBegun, UploadProgress, UploadStanding } from './answer-headers.js'
import { CreateUploadHeaders, errorAnswers, FileParams, PatchUploadHeaders, SessionParams, UploadHeaders } from './schemas.js'
import { checksumOf, describedBy, numberOf, TUS_CHECKSUM_ALGORITHMS, TUS_EXTENSIONS, TUS_VERSION } from './tus-headers.js'

const PIECE_TYPE = 'application/offset+octet-stream'

const PieceErrors = ['INVALID_REQUEST', 'CHECKSUM_INVALID', 'UPLOAD_INCOMPLETE', 'UNAUTHORIZED', 'JOIN_PENDING', 'CROSS_ORIGIN', 'FILE_NOT_FOUND', 'NOT_YOUR_UPLOAD', 'UPLOAD_STALLED', 'SESSION_CLOSED', 'UPLOAD_OFFSET_MISMATCH', 'FILE_EXISTS', 'TUS_VERSION', 'FILE_TOO_LARGE', 'SESSION_SIZE_EXCEEDED', 'TOO_MANY_FILES', 'UPLOAD_TOO_LONG', 'UPLOAD_TOO_FRAGMENTED', 'UNSUPPORTED_MEDIA_TYPE', 'FILE_TYPE_NOT_ALLOWED', 'CHECKSUM_MISMATCH', 'CONTAINER_REFUSED', 'UPLOAD_LOCKED', 'PIECE_CHECKSUM_MISMATCH', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE', 'STORAGE_FULL'] as const

/** Resumable uploads: tus 1.0.0 (https://tus.io/protocols/resumable-upload), for any client that speaks it. */
const uploads: FastifyPluginAsyncTypebox = async (app) => {
  app.removeAllContentTypeParsers()
  // The handler reads the piece itself.
  app.addContentTypeParser(PIECE_TYPE, (_request, _payload, done) => { done(null) })

  app.addHook('onRequest', (_request, reply, done) => {
    void reply.header('tus-resumable', TUS_VERSION)
    done()
  })
  app.addHook('preValidation', (request, reply, done) => {
    if (request.method === 'OPTIONS' || request.headers['tus-resumable'] === TUS_VERSION) {
      done()
      return
    }
    void reply.header('tus-version', TUS_VERSION)
    done(new LocalSendError('TUS_VERSION'))
  })

  app.options('/:id/uploads', {
    config: { access: 'anyone' },
    schema: {
      tags: ['uploads'],
      operationId: 'uploadOptions',
      summary: 'What this server speaks of tus',
      params: SessionParams,
      response: { 204: Type.Null({ description: 'See the headers', headers: TusAbilities }), ...errorAnswers('INVALID_REQUEST') }
    }
  }, async (_request, reply) => reply.code(204).headers({
    'tus-version': TUS_VERSION,
    'tus-extension': TUS_EXTENSIONS,
    'tus-max-size': app.config.MAX_FILE_SIZE,
    'tus-checksum-algorithm': TUS_CHECKSUM_ALGORITHMS
  }).send(null))

  app.post('/:id/uploads', {
    config: { access: 'participant', body: 'streamed' },
    schema: {
      tags: ['uploads'],
      operationId: 'createUpload',
      summary: 'Begin a resumable upload',
      description: 'Location is where its pieces go. In an end-to-end session, Upload-Metadata has `file_id` and the sealed `metadata`, and length and offsets are those of the container. A first piece may come along as the body, of the type application/offset+octet-stream.',
      params: SessionParams,
      headers: CreateUploadHeaders,
      response: { 201: Type.Null({ description: 'Begun', headers: UploadBegun }), ...errorAnswers(...PieceErrors) }
    }
  }, async (request, reply) => {
    const participant = request.participant()
    const { 'upload-length': length, 'upload-defer-length': deferred, 'upload-metadata': metadata, 'upload-checksum': checksum } = request.headers
    if ((length === undefined) !== (deferred === '1')) throw new LocalSendError('INVALID_REQUEST', { detail: 'Send either Upload-Length or "Upload-Defer-Length: 1".' })
    // Announced nowhere; taken for an upload of its own, each part would become a file.
    if (request.headers['upload-concat'] !== undefined) throw new LocalSendError('INVALID_REQUEST', { detail: 'Upload-Concat is not supported: send the file as one upload.' })
    const piece = request.headers['content-type'] === undefined ? undefined : pieceOf(request, 0, undefined, checksum)
    const id = await app.resumableUploads.create(participant, { ...describedBy(metadata), length: numberOf(length) ?? null })
    void reply.code(201).header('location', `${app.config.BASE_PATH}/api/session/${participant.session.id}/uploads/${id}`)
    const progress = piece === undefined || length === '0' ? { offset: 0, entry: undefined } : await app.resumableUploads.append(participant, id, piece)
    return describe(reply, participant.session, progress).send()
  })

  app.head('/:id/uploads/:file_id', {
    config: { access: 'participant', swagger: { exposeHeadRoute: true } },
    schema: {
      tags: ['uploads'],
      operationId: 'upload-offset',
      summary: 'How far an upload has come',
      description: 'Only its uploader may ask, and is about to go on: a request that hangs on it is ended.',
      params: FileParams,
      headers: UploadHeaders,
      response: { 200: Type.Null({ description: 'See Upload-Offset', headers: UploadProgress }), ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'FILE_NOT_FOUND', 'NOT_YOUR_UPLOAD', 'SESSION_CLOSED', 'TUS_VERSION', 'UPLOAD_LOCKED', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE') }
    }
  }, async (request, reply) => {
    const participant = request.participant()
    const progress = await app.resumableUploads.progress(participant, request.params.file_id)
    const { entry } = progress
    const length = isUpload(entry) ? entry.length : entry.size
    return describe(reply, participant.session, progress).headers({
      ...(length === null ? { 'upload-defer-length': '1' } : { 'upload-length': length }),
      ...(entry.uploadMetadata !== null && { 'upload-metadata': entry.uploadMetadata })
    }).send()
  })

  app.patch('/:id/uploads/:file_id', {
    config: { access: 'participant', body: 'streamed' },
    schema: {
      tags: ['uploads'],
      operationId: 'continueUpload',
      summary: 'Go on with an upload',
      description: 'The body is the next piece. What has arrived of it is kept wherever the connection breaks, unless Upload-Checksum came with it. A newer request takes over from one that hangs.',
      consumes: [PIECE_TYPE],
      params: FileParams,
      headers: PatchUploadHeaders,
      response: { 204: Type.Null({ description: 'Stored; see Upload-Offset', headers: UploadStanding }), ...errorAnswers(...PieceErrors) }
    }
  }, async (request, reply) => {
    const participant = request.participant()
    const { 'upload-offset': offset, 'upload-length': length, 'upload-checksum': checksum } = request.headers
    const piece = pieceOf(request, Number(offset), numberOf(length), checksum)
    const progress = await app.resumableUploads.append(participant, request.params.file_id, piece)
    return describe(reply.code(204), participant.session, progress).send(null)
  })

  app.delete('/:id/uploads/:file_id', {
    config: { access: 'participant' },
    schema: {
      tags: ['uploads'],
      operationId: 'deleteUpload',
      summary: 'Give an upload up',
      description: 'The same as deleting the file.',
      params: FileParams,
      headers: UploadHeaders,
      response: { 204: Type.Null({ description: 'Given up' }), ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'NOT_YOUR_FILE', 'CROSS_ORIGIN', 'FILE_NOT_FOUND', 'TUS_VERSION', 'SESSION_CLOSED') }
    }
  }, async (request, reply) => {
    await app.files.delete(request.participant(), request.params.file_id)
    return reply.code(204).send(null)
  })
  return Promise.resolve()
}

const pieceOf = (request: FastifyRequest, offset: number, length: number | undefined, checksum: string | undefined): Piece => ({
  offset,
  length,
  size: numberOf(request.headers['content-length']),
  checksum: checksumOf(checksum),
  content: request.pieces(),
  client: request.clientSignal
})

/** Where an upload stands, and when it ends if it is not completed. */
const describe = (reply: FastifyReply, session: SessionRecord, { offset, entry }: { readonly offset: number, readonly entry: Progress['entry'] | undefined }): FastifyReply => reply.headers({
  'upload-offset': offset,
  'upload-expires': new Date(Math.min(expiresAt(session), entry?.endsAt ?? Number.POSITIVE_INFINITY)).toUTCString(),
  'cache-control': 'no-store'
})

export default uploads

import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { LocalSendError } from '../lib/errors.js'
import type { IncomingFile } from '../lib/files/whole-uploads.js'
import { presentFile } from './presenters.js'
import { errorAnswers, RawUploadHeaders, RawUploadParams, Uploaded } from './schemas.js'

const SHA_256 = /(?:^|,)\s*sha-256\s*=\s*:([A-Za-z0-9+/]{43}=):/

const NOT_SEALED = { fileId: undefined, metadata: undefined }

/** One file as the whole body of a request: what `curl -T` sends. */
const rawUpload: FastifyPluginAsyncTypebox = async (app) => {
  // Whatever its type, the body is the file, and is left to the handler.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => { done(null) })

  app.put('/:id/files/:file_id', {
    config: { access: 'participant', body: 'streamed' },
    schema: {
      tags: ['files'],
      operationId: 'putFile',
      summary: 'Upload one file as the body',
      description: 'The body is the file: `curl -T video.mp4 …/files/`. `Repr-Digest` with its SHA-256 is verified. In managed sessions only. Each call stores a new file, whatever its name.',
      consumes: ['application/octet-stream'],
      params: RawUploadParams,
      headers: RawUploadHeaders,
      response: {
        201: Uploaded,
        ...errorAnswers('INVALID_REQUEST', 'UNSUPPORTED_MEDIA_TYPE', 'CHECKSUM_INVALID', 'UPLOAD_INCOMPLETE', 'UPLOAD_STALLED', 'UNAUTHORIZED', 'JOIN_PENDING', 'CROSS_ORIGIN', 'SESSION_CLOSED', 'WRONG_KIND', 'FILE_TOO_LARGE', 'SESSION_SIZE_EXCEEDED', 'TOO_MANY_FILES', 'FILE_TYPE_NOT_ALLOWED', 'CHECKSUM_MISMATCH', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE', 'STORAGE_FULL')
      }
    }
  }, async (request, reply) => {
    const participant = request.participant()
    if (participant.session.kind !== 'managed') throw new LocalSendError('WRONG_KIND')
    refusePart(request)
    const size = contentLength(request)
    const expected = size ?? 0
    const { maxFileSize } = participant.session.limits
    if (expected > maxFileSize) throw new LocalSendError('FILE_TOO_LARGE', { detail: `The limit is ${maxFileSize} bytes.` })
    const file: IncomingFile = {
      filename: request.params.file_id,
      declaredType: request.headers['content-type'] ?? '',
      sealed: NOT_SEALED,
      expectedSha256: expectedSha256(request.headers['repr-digest']),
      size,
      limits: {},
      content: request.pieces()
    }
    const stored = await app.wholeUploads.upload(participant, Readable.from([file]), expected, request.clientSignal)
    return reply.code(201).send({ files: stored.map(presentFile) })
  })
  return Promise.resolve()
}

const contentLength = ({ headers: { 'content-length': length } }: FastifyRequest): number | null => length === undefined ? null : Number(length)

/**
 * A body that is not the whole file as it is would be stored as if it were: what `curl -C` sends (RFC 9110, section 14.5:
 * https://www.rfc-editor.org/rfc/rfc9110#section-14.5), and what is compressed.
 */
function refusePart ({ headers }: FastifyRequest): void {
  if (headers['content-range'] !== undefined) throw new LocalSendError('INVALID_REQUEST', { detail: 'A part of a file cannot be put: send the whole file, or use a resumable upload.' })
  const { 'content-encoding': encoding = 'identity' } = headers
  if (encoding.toLowerCase() !== 'identity') throw new LocalSendError('UNSUPPORTED_MEDIA_TYPE', { detail: 'Send the file without a Content-Encoding: it is stored as it comes.' })
}

/** The SHA-256 out of Repr-Digest (RFC 9530, section 3: https://www.rfc-editor.org/rfc/rfc9530#section-3). */
function expectedSha256 (header: string | undefined): string | undefined {
  if (header === undefined) return undefined
  const [, base64] = SHA_256.exec(header) ?? []
  if (base64 === undefined) throw new LocalSendError('CHECKSUM_INVALID', { detail: 'Send "Repr-Digest: sha-256=:…:".' })
  return Buffer.from(base64, 'base64').toString('hex')
}

export default rawUpload

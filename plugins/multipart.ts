import multipart, { type MultipartFile } from '@fastify/multipart'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { LocalSendError, isLocalSendError, type ErrorCode } from '../lib/errors.js'
import type { IncomingFile } from '../lib/files/files.js'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The files of a multipart body as they arrive; each must be read or destroyed before the next is asked for.
     * @throws LocalSendError MULTIPART_MALFORMED, MULTIPART_UNEXPECTED, TOO_MANY_PARTS, UNSUPPORTED_MEDIA_TYPE
     */
    incomingFiles (): AsyncGenerator<IncomingFile, void>
  }
}

const SHA256 = /^[0-9a-f]{64}$/i
const LIMITS = { parts: 2000, fieldSize: 1024, fieldNameSize: 100, headerPairs: 20, fileSize: Number.POSITIVE_INFINITY }

const PLUGIN_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_PARTS_LIMIT: 'TOO_MANY_PARTS',
  FST_FILES_LIMIT: 'TOO_MANY_PARTS',
  FST_FIELDS_LIMIT: 'TOO_MANY_PARTS',
  FST_MP_PREMATURE_CLOSE: 'UPLOAD_INCOMPLETE',
  FST_PROTO_VIOLATION: 'MULTIPART_UNEXPECTED',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'UNSUPPORTED_MEDIA_TYPE'
}

/** Multipart uploads of managed sessions: for each file an optional field `sha256` and then the part `file`. */
export default fp(async (app) => {
  await app.register(multipart, { throwFileSizeLimit: false, limits: LIMITS })
  app.decorateRequest('incomingFiles', incomingFiles)
}, { name: 'multipart', dependencies: ['request-bodies'] })

async function * incomingFiles (this: FastifyRequest): AsyncGenerator<IncomingFile, void> {
  let expectedSha256: string | undefined
  let file: MultipartFile | undefined
  this.askForBody()
  try {
    for await (const part of this.parts()) {
      if (part.type === 'file') {
        file = part
        if (part.fieldname !== 'file') throw unexpected(part.fieldname)
        yield { filename: part.filename, declaredType: part.mimetype, expectedSha256, content: part.file }
        expectedSha256 = undefined
      } else {
        if (part.fieldname !== 'sha256' || expectedSha256 !== undefined) throw unexpected(part.fieldname)
        expectedSha256 = parseSha256(part.value)
      }
    }
    if (expectedSha256 !== undefined) throw unexpected('sha256')
  } catch (error) {
    throw toCatalogue(error)
  } finally {
    // A part that nobody reads to its end would keep the request from ever settling.
    file?.file.destroy()
  }
}

function parseSha256 (value: unknown): string {
  if (typeof value !== 'string' || !SHA256.test(value)) {
    throw new LocalSendError('INVALID_REQUEST', { detail: 'The field "sha256" must be 64 hexadecimal digits.' })
  }
  return value.toLowerCase()
}

const unexpected = (name: string): LocalSendError =>
  new LocalSendError('MULTIPART_UNEXPECTED', { detail: `The part was ${JSON.stringify(name.slice(0, 40))}.` })

function toCatalogue (error: unknown): unknown {
  if (isLocalSendError(error) || !(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? PLUGIN_CODES[error.code] : undefined
  return new LocalSendError(code ?? 'MULTIPART_MALFORMED', { cause: error })
}

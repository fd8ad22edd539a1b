import multipart, { type MultipartFile } from '@fastify/multipart'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import type { SessionKind } from '../lib/crypto/spake2.js'
import { LocalSendError, isLocalSendError, type ErrorCode } from '../lib/errors.js'
import { isFileLimit, parseFileLimit } from '../lib/files/file-limits.js'
import type { IncomingFile } from '../lib/files/whole-uploads.js'

declare module 'fastify' {
  interface FastifyRequest {
    /**
     * The files of a multipart body as they arrive; each must be read or destroyed before the next is asked for.
     * @throws LocalSendError MULTIPART_MALFORMED, MULTIPART_UNEXPECTED, TOO_MANY_PARTS, UNSUPPORTED_MEDIA_TYPE
     */
    incomingFiles (): AsyncGenerator<IncomingFile, void>
  }
}

const FIELDS: Readonly<Record<SessionKind, readonly string[]>> = { managed: ['sha256'], 'end-to-end': ['file_id', 'metadata'] }
const ALL_FIELDS = Object.values(FIELDS).flat()
const SHA256 = /^[0-9a-f]{64}$/i
/** Of parts: five for each file. Of a field: the longest sealed metadata. */
const LIMITS = { files: 1000, parts: 5000, fieldSize: 8192, fieldNameSize: 100, headerPairs: 20, fileSize: Number.POSITIVE_INFINITY }

const PLUGIN_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_PARTS_LIMIT: 'TOO_MANY_PARTS',
  FST_FILES_LIMIT: 'TOO_MANY_PARTS',
  FST_FIELDS_LIMIT: 'TOO_MANY_PARTS',
  FST_MP_PREMATURE_CLOSE: 'UPLOAD_INCOMPLETE',
  FST_PROTO_VIOLATION: 'MULTIPART_UNEXPECTED',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'UNSUPPORTED_MEDIA_TYPE'
}

/** Multipart uploads: for each file its fields, of which all but those of an end-to-end session are optional, then the part `file`. */
export default fp(async (app) => {
  await app.register(multipart, { throwFileSizeLimit: false, limits: LIMITS })
  app.decorateRequest('incomingFiles', incomingFiles)
}, { name: 'multipart', dependencies: ['request-bodies'] })

async function * incomingFiles (this: FastifyRequest): AsyncGenerator<IncomingFile, void> {
  const known = FIELDS[this.participant().session.kind]
  let fields = new Map<string, string>()
  let file: MultipartFile | undefined
  this.askForBody()
  try {
    for await (const part of this.parts()) {
      if (part.type === 'file') {
        file = part
        if (part.fieldname !== 'file') throw unexpected(part.fieldname)
        yield { filename: part.filename, declaredType: part.mimetype, ...described(fields), size: null, content: part.file }
        fields = new Map()
      } else {
        const { fieldname: name, value } = part
        // Forms send an optional field that nobody has filled in as an empty one, those of the other kind of session included.
        const fits = value === '' ? ALL_FIELDS.includes(name) : known.includes(name)
        if ((!fits && !isFileLimit(name)) || fields.has(name) || typeof value !== 'string') throw unexpected(name)
        if (value !== '') fields.set(name, value)
      }
    }
    const [left] = fields.keys()
    if (left !== undefined) throw unexpected(left)
  } catch (error) {
    throw toCatalogue(error)
  } finally {
    // A part that nobody reads to its end would keep the request from ever settling.
    file?.file.destroy()
  }
}

/** What the fields before a file say of it. */
function described (fields: ReadonlyMap<string, string>): Pick<IncomingFile, 'expectedSha256' | 'sealed' | 'limits'> {
  const sha256 = fields.get('sha256')
  if (sha256 !== undefined && !SHA256.test(sha256)) throw new LocalSendError('INVALID_REQUEST', { detail: 'The field "sha256" must be 64 hexadecimal digits.' })
  return {
    expectedSha256: sha256?.toLowerCase(),
    sealed: { fileId: fields.get('file_id'), metadata: fields.get('metadata') },
    limits: { maxDownloads: parseFileLimit('max_downloads', fields.get('max_downloads')), expiresIn: parseFileLimit('expires_in', fields.get('expires_in')) }
  }
}

const unexpected = (name: string): LocalSendError =>
  new LocalSendError('MULTIPART_UNEXPECTED', { detail: `The part was ${JSON.stringify(name.slice(0, 40))}.` })

function toCatalogue (error: unknown): unknown {
  if (isLocalSendError(error) || !(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? PLUGIN_CODES[error.code] : undefined
  return new LocalSendError(code ?? 'MULTIPART_MALFORMED', { cause: error })
}

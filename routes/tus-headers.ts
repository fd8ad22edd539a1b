/** The headers of tus 1.0.0 (https://tus.io/protocols/resumable-upload) in the terms of the service. */

import { LocalSendError } from '../lib/errors.js'
import type { ChecksumAlgorithm } from '../lib/files/checksum.js'
import { parseFileLimit } from '../lib/files/file-limits.js'
import type { UploadRequest } from '../lib/files/resumable-uploads.js'
import type { Piece } from '../lib/files/upload-writer.js'

export const TUS_VERSION = '1.0.0'
export const TUS_EXTENSIONS = 'creation,creation-with-upload,creation-defer-length,termination,expiration,checksum'

/** Bytes of the digests that can be announced. */
const ALGORITHMS: Readonly<Record<ChecksumAlgorithm, number>> = { sha256: 32, sha1: 20 }
export const TUS_CHECKSUM_ALGORITHMS = Object.keys(ALGORITHMS).join()

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const SHA256 = /^[0-9a-f]{64}$/i
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * What Upload-Metadata says of a file; keys that mean nothing here are passed over.
 * @throws LocalSendError INVALID_REQUEST
 */
export function describedBy (header: string | undefined): Omit<UploadRequest, 'length'> {
  const metadata = parseMetadata(header)
  const sha256 = metadata.get('sha256')
  if (sha256 !== undefined && !SHA256.test(sha256)) throw malformed('"sha256" must be 64 hexadecimal digits.')
  return {
    filename: metadata.get('filename') ?? metadata.get('name'),
    declaredType: metadata.get('filetype') ?? metadata.get('type') ?? '',
    expectedSha256: sha256?.toLowerCase(),
    sealed: { fileId: metadata.get('file_id'), metadata: metadata.get('metadata') },
    limits: { maxDownloads: parseFileLimit('max_downloads', metadata.get('max_downloads')), expiresIn: parseFileLimit('expires_in', metadata.get('expires_in')) },
    uploadMetadata: header ?? null
  }
}

function parseMetadata (header = ''): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>()
  for (const pair of header.split(',').map((part) => part.trim()).filter((part) => part !== '')) {
    const [key = '', value = '', ...more] = pair.split(' ')
    if (key === '' || more.length > 0 || metadata.has(key) || !BASE64.test(value)) throw malformed('It is a list of keys, each once, with their values in Base64.')
    metadata.set(key, decode(value))
  }
  return metadata
}

function decode (base64: string): string {
  try {
    return utf8.decode(Buffer.from(base64, 'base64'))
  } catch {
    throw malformed('A value is not UTF-8.')
  }
}

const malformed = (detail: string): LocalSendError => new LocalSendError('INVALID_REQUEST', { detail: `Upload-Metadata: ${detail}` })

/** @throws LocalSendError CHECKSUM_INVALID */
export function checksumOf (header: string | undefined): Piece['checksum'] {
  if (header === undefined) return undefined
  const [name = '', base64 = '', ...more] = header.split(' ')
  const digest = Buffer.from(base64, 'base64')
  if (!isAlgorithm(name) || more.length > 0 || !BASE64.test(base64) || digest.length !== ALGORITHMS[name]) {
    throw new LocalSendError('CHECKSUM_INVALID', { detail: `It must be one of ${TUS_CHECKSUM_ALGORITHMS}, a space, and the digest in Base64.` })
  }
  return { algorithm: name, digest: digest.toString('hex') }
}

const isAlgorithm = (name: string): name is ChecksumAlgorithm => Object.hasOwn(ALGORITHMS, name)

/** The number of a header that the schema has found to be one. */
export const numberOf = (header: string | undefined): number | undefined => header === undefined ? undefined : Number(header)

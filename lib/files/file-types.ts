import { fileTypeFromBuffer, supportedMimeTypes } from 'file-type'
import { LocalSendError } from '../errors.js'
import { hasExtension } from './names.js'

export interface TypePolicy {
  /** Lower-case media types, `image/*` included; empty: all. */
  readonly allowedTypes: readonly string[]
  /** Lower-case extensions; empty: all. */
  readonly allowedExtensions: readonly string[]
}

const UNKNOWN = 'application/octet-stream'
/** Signatures stand at the beginning; what lies further back is not looked at. */
export const SNIFFED_BYTES = 8192
const MEDIA_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/
const recognisable = new Set<string>(supportedMimeTypes)

/**
 * The media type of a file, by its content. What the sender says is believed only where content of that type has no signature
 * (text, for example), and text only if it has no NUL byte.
 *
 * @param head - the first bytes of the file
 * @param declared - the Content-Type its sender gave, parameters included
 */
export async function detectType (head: Uint8Array, declared: string): Promise<string> {
  const start = head.subarray(0, SNIFFED_BYTES)
  const found = await fileTypeFromBuffer(start)
  if (found !== undefined) return found.mime.toLowerCase()
  const claim = claimedType(declared)
  if (recognisable.has(claim)) return UNKNOWN
  return claim.startsWith('text/') && start.includes(0) ? UNKNOWN : claim
}

/** What a sender says the media type is, in a form that can be shown; parameters are taken off. */
export function claimedType (declared: string): string {
  const claim = declared.split(';')[0]?.trim().toLowerCase() ?? ''
  return MEDIA_TYPE.test(claim) ? claim : UNKNOWN
}

/** @throws LocalSendError FILE_TYPE_NOT_ALLOWED */
export function checkType (type: string, { allowedTypes }: TypePolicy): void {
  const fits = allowedTypes.length === 0 || allowedTypes.some((allowed) =>
    allowed === type || (allowed.endsWith('/*') && type.startsWith(allowed.slice(0, -1))))
  if (!fits) throw new LocalSendError('FILE_TYPE_NOT_ALLOWED', { detail: `It accepts ${allowedTypes.join(', ')}; the content is ${type}.` })
}

/** @throws LocalSendError FILE_TYPE_NOT_ALLOWED */
export function checkExtension (name: string, { allowedExtensions }: TypePolicy): void {
  if (allowedExtensions.length > 0 && !hasExtension(name, allowedExtensions)) {
    throw new LocalSendError('FILE_TYPE_NOT_ALLOWED', { detail: `It accepts names that end in ${allowedExtensions.join(', ')}.` })
  }
}

/**
 * The sealed description of a file in an end-to-end session (protocol local-send/1, section 5, "Metadata").
 *
 *     sealed    = header(92, "LSM1", chunkLog2 00, part 0) ‖ AES-256-GCM(encKey, nonce_0 of a last chunk, plaintext, aad = header)
 *     plaintext = u16 length of the JSON ‖ JSON, UTF-8 ‖ zeros, to a multiple of 512, at most 4096
 *     JSON      = {"name", "size", "type", "modified", "kind"?, "mode"?, "direct"?}
 *
 * Invariant: what comes out has the types it says and was sealed by a member of the session. It is still hostile: a name is made
 * safe by whoever writes or prints it.
 */

import { LocalSendError } from '../errors.js'
import type { FileId } from '../ids.js'
import { concat, u16, utf8, type Bytes } from './bytes.js'
import { HEADER_SIZE, METADATA, TAG_SIZE, checkHeader, chunkParameters, createHeader, newSalt, unlockHeader, type Expectations, type Writer } from './container-header.js'
import { MAX_PLAINTEXT } from './container-sizes.js'

/** What a sender says about a file. */
export interface Metadata {
  /** A relative path with `/`. */
  readonly name: string
  /** Bytes of the plaintext, to be checked against it; null: unknown beforehand. */
  readonly size: number | null
  /** A media type; may be empty. */
  readonly type: string
  /** RFC 3339, UTC. */
  readonly modified: string
  /** A text typed by the sender, or an empty folder; otherwise a file. */
  readonly kind?: 'text' | 'directory'
  /** Permission bits, of which only the owner's execute bit is honoured. */
  readonly mode?: number
  /** Where the sender himself hands the file out while it is being sent: 1 to {@link MAX_DIRECT} addresses, `192.0.2.1:54321` or `[2001:db8::1]:54321`. */
  readonly direct?: readonly string[]
}

/** Addresses that a sender may name as his own. */
export const MAX_DIRECT = 8

/** What {@link sealMetadata} needs beside the description. */
export interface MetadataSealing {
  /** 32 bytes. */
  readonly contentKey: Bytes
  /** The same one as the container's. */
  readonly fileId: FileId
  readonly writer: Writer
  /** 32 bytes, never the container's; random unless a test fixes them. */
  readonly salt?: Bytes
}

const BLOCK = 512
const MAX_PADDED = 4096
const LENGTH_SIZE = 2

/** Bytes of the longest sealed metadata. */
export const MAX_SEALED_METADATA = HEADER_SIZE + MAX_PADDED + TAG_SIZE

/**
 * Seals the description of a file: 620 to 4204 bytes.
 *
 * @throws RangeError if a field is not what {@link Metadata} says, or the whole is longer than 4094 bytes of JSON
 */
export const sealMetadata = async (metadata: Metadata, { contentKey, fileId, writer, salt = newSalt() }: MetadataSealing): Promise<Bytes> => {
  const plaintext = pad(encode(metadata))
  const unlocked = await createHeader(METADATA, { contentKey, fileId, writer, part: 0, chunkLog2: 0, salt })
  const sealed = await crypto.subtle.encrypt(chunkParameters(unlocked, 0, true), unlocked.key, plaintext)
  return concat(unlocked.header, new Uint8Array(sealed))
}

/**
 * Opens what {@link sealMetadata} gave. Whoever goes on to open the file expects its container from the same `writer`.
 *
 * @throws METADATA_DAMAGED if header, seal, padding or fields are not as they must be
 */
export const openMetadata = async (sealed: Uint8Array, expected: Omit<Expectations, 'part'>): Promise<{ metadata: Metadata, writer: Writer }> => {
  checkLength(sealed)
  const unlocked = await unlockHeader(METADATA, sealed.subarray(0, HEADER_SIZE), expected)
  try {
    const plaintext = await crypto.subtle.decrypt(chunkParameters(unlocked, 0, true), unlocked.key, concat(sealed.subarray(HEADER_SIZE)))
    return { metadata: decode(unpad(new Uint8Array(plaintext))), writer: unlocked.writer }
  } catch (cause) {
    throw damaged(cause)
  }
}

/**
 * What can be said of sealed metadata without the key: whether length and header are as expected.
 *
 * @throws METADATA_DAMAGED otherwise
 */
export const checkSealedMetadata = (sealed: Uint8Array, expected: Omit<Expectations, 'part' | 'contentKey'>): void => {
  checkLength(sealed)
  checkHeader(METADATA, sealed.subarray(0, HEADER_SIZE), expected)
}

const checkLength = ({ length }: Uint8Array): void => {
  const padded = length - HEADER_SIZE - TAG_SIZE
  if (padded < BLOCK || padded > MAX_PADDED || padded % BLOCK !== 0) throw damaged()
}

const damaged = (cause?: unknown) => new LocalSendError('METADATA_DAMAGED', { cause })

const encode = ({ name, size, type, modified, kind, mode, direct }: Metadata): Bytes => {
  const fields = { name, size, type, modified, kind, mode, direct }
  if (!isMetadata(fields)) throw new RangeError('This description of a file has a field that no reader would accept.')
  return utf8(JSON.stringify(fields))
}

const pad = (json: Bytes): Bytes => {
  const length = Math.ceil((LENGTH_SIZE + json.length) / BLOCK) * BLOCK
  if (length > MAX_PADDED) throw new RangeError('This description of a file is too long: shorten its name.')
  const padded = new Uint8Array(length)
  padded.set(concat(u16(json.length), json))
  return padded
}

const unpad = (padded: Bytes): Bytes => {
  const end = LENGTH_SIZE + new DataView(padded.buffer).getUint16(0)
  if (end > padded.length || padded.subarray(end).some((byte) => byte !== 0)) throw damaged()
  return padded.subarray(LENGTH_SIZE, end)
}

const decode = (json: Bytes): Metadata => {
  const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
  if (!isMetadata(value)) throw damaged()
  const { name, size, type, modified, kind, mode, direct } = value
  return { name, size, type, modified, ...(kind !== undefined && { kind }), ...(mode !== undefined && { mode }), ...(direct !== undefined && { direct }) }
}

const isText = (value: unknown) => typeof value === 'string'
const isWhole = (value: unknown, max: number) => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max
const isTime = (value: unknown) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(value) && !Number.isNaN(Date.parse(value))

/** Address and port: numbers only, so that nothing is looked up. */
const DIRECT_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]{2,39}\]):([1-9]\d{3,4})$/
/** Below it are the ports of services that a sender does not have. */
const FIRST_PORT = 1024

function isDirectAddress (value: unknown): boolean {
  const [, port] = typeof value === 'string' ? DIRECT_ADDRESS.exec(value) ?? [] : []
  return port !== undefined && Number(port) >= FIRST_PORT && Number(port) < 2 ** 16
}

/** What each field must be; fields that are not known are dropped by the reader. */
const FIELDS: Record<keyof Metadata, (value: unknown) => boolean> = {
  name: (value) => isText(value) && value !== '',
  size: (value) => value === null || isWhole(value, MAX_PLAINTEXT),
  type: isText,
  modified: isTime,
  kind: (value) => value === undefined || value === 'text' || value === 'directory',
  mode: (value) => value === undefined || isWhole(value, 0o7777),
  direct: (value) => value === undefined || (Array.isArray(value) && value.length > 0 && value.length <= MAX_DIRECT && value.every(isDirectAddress))
}

const isMetadata = (value: unknown): value is Metadata =>
  typeof value === 'object' && value !== null && Object.entries(FIELDS).every(([field, accepts]) => accepts(Reflect.get(value, field)))

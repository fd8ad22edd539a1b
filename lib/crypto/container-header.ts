/**
 * The header that containers and sealed metadata share, and the keys that it stands for (protocol local-send/1, section 5).
 *
 *     header     = H0(28) ‖ salt(32) ‖ commitment(32)                                          92 bytes
 *     H0         = magic(4) ‖ version 01 ‖ suite 01 ‖ chunkLog2 ‖ writer ‖ u32(part) ‖ file id(16)
 *     magic      = "LSF1" (a container: chunkLog2 10 to 14 hex) | "LSM1" (metadata: chunkLog2 00, part 0)
 *     writer     = 'A' joiner | 'B' creator | 'S' server
 *     encKey(32) ‖ commitment(32) ‖ prefix(7) = HKDF(content key, salt, label ‖ 00 ‖ H0, 71)
 *     nonce      = prefix(7) ‖ u32(index) ‖ (01 if last, else 00)
 *
 * Invariant: keys come out of here only for a header of which every byte is known: written here, or compared with what the
 * reader expected and with the recomputed commitment.
 */

import { LocalSendError, type ErrorCode } from '../errors.js'
import type { FileId } from '../ids.js'
import { concat, equalBytes, equalThroughout, fromHex, randomBytes, u32, utf8, type Bytes } from './bytes.js'
import { CONTENT_KEY_SIZE, hkdf } from './keys.js'

/** Bytes of a header. */
export const HEADER_SIZE = 92
/** Bytes that sealing adds to a chunk. */
export const TAG_SIZE = 16
/** Bytes of a salt. */
export const SALT_SIZE = 32

const H0_SIZE = 28
const VERSION = 0x01
const SUITE = 0x01
const PREFIX_SIZE = 7

/** Who wrote a container: joiner, creator, server. */
export type Writer = 'A' | 'B' | 'S'

const WRITERS: readonly Writer[] = ['A', 'B', 'S']

/** What differs between containers and metadata. */
export interface Format {
  readonly magic: 'LSF1' | 'LSM1'
  readonly label: string
  readonly chunkLog2: { readonly min: number, readonly max: number }
  /** What a reader throws. */
  readonly damaged: ErrorCode
}

/** A container, section 5. */
export const CONTAINER: Format = { magic: 'LSF1', label: 'local-send/1 file', chunkLog2: { min: 0x10, max: 0x14 }, damaged: 'CONTAINER_DAMAGED' }
/** Sealed metadata, section 5. */
export const METADATA: Format = { magic: 'LSM1', label: 'local-send/1 meta', chunkLog2: { min: 0, max: 0 }, damaged: 'METADATA_DAMAGED' }

/** What a writer says about what it writes. */
export interface HeaderFields {
  /** 32 bytes. */
  readonly contentKey: Bytes
  readonly fileId: FileId
  readonly writer: Writer
  /** From 0; u32. */
  readonly part: number
  readonly chunkLog2: number
  /** 32 bytes, random for every container. */
  readonly salt: Bytes
}

/** What a reader knows beforehand; anything else is refused. */
export interface Expectations {
  /** 32 bytes. */
  readonly contentKey: Bytes
  readonly fileId: FileId
  /** Whose containers are accepted. A creator accepts A; a joiner B, and A only if its user expects several joiners. */
  readonly writers: Writer | readonly Writer[]
  /** From 0, which is the default. */
  readonly part?: number
}

/** A header with the keys that go with it. */
export interface Unlocked {
  /** 92 bytes: the associated data of every chunk. */
  readonly header: Bytes
  readonly key: Key
  /** 7 bytes, the beginning of every nonce. */
  readonly prefix: Bytes
  readonly writer: Writer
  readonly chunkLog2: number
}

/** WebCrypto's CryptoKey, by a name that Node's types and the DOM's share. */
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>
type Usage = 'encrypt' | 'decrypt'

/**
 * The header of something new, and its keys.
 *
 * @throws RangeError on fields that no reader would accept
 */
export const createHeader = async (format: Format, fields: HeaderFields): Promise<Unlocked> => {
  const { contentKey, salt, writer, chunkLog2 } = fields
  if (contentKey.length !== CONTENT_KEY_SIZE || salt.length !== SALT_SIZE) throw new RangeError('A content key has 32 bytes, and so has a salt.')
  if (!fits(format, chunkLog2)) throw new RangeError(`No ${format.magic} has the chunkLog2 ${chunkLog2}.`)
  const H0 = encodeH0(format, fields)
  const { key, commitment, prefix } = await deriveKeys(format, contentKey, salt, H0, ['encrypt'])
  return { header: concat(H0, salt, commitment), key, prefix, writer, chunkLog2 }
}

/**
 * The keys of a header that was read, once all of it is as expected: the fields first, then the commitment (section 5).
 *
 * @throws CONTAINER_DAMAGED or METADATA_DAMAGED otherwise
 */
export const unlockHeader = async (format: Format, received: Uint8Array, expected: Expectations, usages: Usage[] = ['decrypt']): Promise<Unlocked> => {
  const header = concat(received)
  const { writer, chunkLog2 } = checkHeader(format, header, expected)
  const [H0, salt, commitment] = [header.slice(0, H0_SIZE), header.slice(H0_SIZE, H0_SIZE + SALT_SIZE), header.subarray(H0_SIZE + SALT_SIZE)]
  const derived = await deriveKeys(format, expected.contentKey, salt, H0, usages)
  // It stands in the clear in every header, and tells nothing of the keys beside it: no secret, which would be compared under a key.
  if (!equalThroughout(commitment, derived.commitment)) throw new LocalSendError(format.damaged, { detail: 'It was sealed under another key.' })
  return { header, key: derived.key, prefix: derived.prefix, writer, chunkLog2 }
}

/**
 * What can be said of a header without the key: whether its fields are as expected.
 *
 * @throws CONTAINER_DAMAGED or METADATA_DAMAGED otherwise
 */
export const checkHeader = (format: Format, header: Uint8Array, { fileId, writers, part = 0 }: Omit<Expectations, 'contentKey'>): { readonly writer: Writer, readonly chunkLog2: number } => {
  const [, , , , , , chunkLog2, letter] = header
  const writer = WRITERS.find((known) => known.charCodeAt(0) === letter && writers.includes(known))
  if (header.length !== HEADER_SIZE || chunkLog2 === undefined || writer === undefined || !fits(format, chunkLog2)) throw new LocalSendError(format.damaged)
  const H0 = encodeH0(format, { chunkLog2, writer, part, fileId })
  if (!equalBytes(H0, header.subarray(0, H0_SIZE))) throw new LocalSendError(format.damaged)
  return { writer, chunkLog2 }
}

const fits = ({ chunkLog2: { min, max } }: Format, chunkLog2: number) => Number.isInteger(chunkLog2) && chunkLog2 >= min && chunkLog2 <= max

const encodeH0 = ({ magic }: Format, { chunkLog2, writer, part, fileId }: Pick<HeaderFields, 'chunkLog2' | 'writer' | 'part' | 'fileId'>): Bytes =>
  concat(utf8(magic), Uint8Array.of(VERSION, SUITE, chunkLog2), utf8(writer), u32(part), fromHex(fileId))

const deriveKeys = async ({ label }: Format, contentKey: Bytes, salt: Bytes, H0: Bytes, usages: Usage[]) => {
  const keys = await hkdf(contentKey, salt, concat(utf8(`${label}\0`), H0), 32 + 32 + PREFIX_SIZE)
  const key = await crypto.subtle.importKey('raw', keys.subarray(0, 32), 'AES-GCM', false, usages)
  return { key, commitment: keys.slice(32, 64), prefix: keys.slice(64) }
}

/** AES-256-GCM's parameters for one chunk (section 5). */
export const chunkParameters = ({ header, prefix }: Unlocked, index: number, last: boolean): { name: string, iv: Bytes, additionalData: Bytes } =>
  ({ name: 'AES-GCM', iv: concat(prefix, u32(index), Uint8Array.of(last ? 1 : 0)), additionalData: header })

/** A fresh salt. */
export const newSalt = (): Bytes => randomBytes(SALT_SIZE)

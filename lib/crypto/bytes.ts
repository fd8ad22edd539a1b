/**
 * Bytes: joining, encodings, randomness and the one comparison of secrets (protocol local-send/1, section 3).
 *
 * Invariant: every decoder here is canonical. A byte string has exactly one text that decodes to it, so two parties, or two
 * checks in one program, can never disagree about whether two texts are equal.
 */

/** Bytes in a buffer of their own, which WebCrypto accepts. The one way this project passes binary data. */
export type Bytes = Uint8Array<ArrayBuffer>

/** Gives exactly `length` random bytes. Injected by tests; everything else uses WebCrypto's. */
export type RandomSource = (length: number) => Bytes

const webRandom: RandomSource = (length) => crypto.getRandomValues(new Uint8Array(length))

/**
 * `length` bytes from `source`: the system's generator unless a test injects its own.
 *
 * @throws RangeError if the source gave another number of bytes
 */
export const randomBytes = (length: number, source: RandomSource = webRandom): Bytes => {
  const bytes = source(length)
  if (bytes.length !== length) throw new RangeError(`The random source gave ${bytes.length} bytes instead of ${length}.`)
  return bytes
}

/** A fresh copy of all parts in a row. */
export const concat = (...parts: readonly Uint8Array[]): Bytes => {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** `n` as 2 bytes, big-endian; RangeError unless it fits. */
export const u16 = (n: number): Bytes => bigEndian(n, 2)

/** `n` as 4 bytes, big-endian; RangeError unless it fits. */
export const u32 = (n: number): Bytes => bigEndian(n, 4)

const bigEndian = (n: number, length: number): Bytes => {
  if (!Number.isInteger(n) || n < 0 || n >= 2 ** (8 * length)) throw new RangeError(`${n} does not fit into ${length} bytes.`)
  return Uint8Array.from({ length }, (_, i) => n / 2 ** (8 * (length - 1 - i)))
}

/** The UTF-8 encoding of a text; labels and identifiers are ASCII, which is the same. */
export const utf8 = (text: string): Bytes => concat(new TextEncoder().encode(text))

/** Lowercase hexadecimal. */
export const toHex = (bytes: Uint8Array): string => {
  let text = ''
  for (const byte of bytes) text += HEX[byte] ?? ''
  return text
}

const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * The bytes of a lowercase hexadecimal text.
 *
 * @throws RangeError on anything but an even number of the digits 0-9 and a-f
 */
export const fromHex = (text: string): Bytes => {
  if (!/^(?:[0-9a-f]{2})*$/.test(text)) throw new RangeError('This is not lowercase hexadecimal of an even length.')
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

/** base64url without padding (RFC 4648 section 5, https://www.rfc-editor.org/rfc/rfc4648#section-5). */
export const toBase64url = (bytes: Uint8Array): string => {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/**
 * The bytes of a base64url text without padding.
 *
 * @throws RangeError on padding, another alphabet, an impossible length, or bits set after the last byte (RFC 4648
 *   section 3.5): the text must be the one that {@link toBase64url} gives
 */
export const fromBase64url = (text: string): Bytes => {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) throw new RangeError('This is not base64url without padding.')
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  const unused = text.length * 6 - bytes.length * 8
  if (unused > 0 && BASE64URL.indexOf(text.slice(-1)) % 2 ** unused !== 0) throw new RangeError('This base64url has bits set after its last byte.')
  return bytes
}

/** Whether two public byte strings are equal. It stops at the first difference: for secrets use {@link equalSecrets}. */
export const equalBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, i) => byte === b[i])

/** The same without an early exit: for what is public, but compared with what somebody else may have made up. */
export const equalThroughout = (a: Uint8Array, b: Uint8Array): boolean => {
  let difference = a.length ^ b.length
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}

/**
 * Whether two secrets (MACs, tokens) are equal. What is compared, without early exit, is the HMAC-SHA-256 of
 * both under a key drawn for this one comparison, so its duration says nothing about where they differ (section 3).
 */
export const equalSecrets = async (a: Uint8Array, b: Uint8Array): Promise<boolean> => {
  const key = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256', length: 256 }, false, ['sign'])
  const mac = async (side: Uint8Array) => new Uint8Array(await crypto.subtle.sign('HMAC', key, concat(side)))
  const [macA, macB] = await Promise.all([mac(a), mac(b)])
  return equalThroughout(macA, macB)
}

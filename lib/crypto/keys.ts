/**
 * The key schedule below SPAKE2 and the wrapped content key (protocol local-send/1, sections 3 and 4), from HKDF
 * (RFC 5869, https://www.rfc-editor.org/rfc/rfc5869) and AES-256-GCM, both WebCrypto's.
 *
 * Invariant: every key has one label and one use. A label never stands without the session id as salt or in its info.
 *
 *     wrapped_key = nonce(12) ‖ AES-256-GCM(HKDF(SK, sid, "local-send/1 wrap", 32), nonce, content key(32), aad)   60 bytes
 *     aad         = "local-send/1 content key" ‖ 00 ‖ sid(8)
 */

import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'
import { concat, randomBytes, toHex, utf8, type Bytes } from './bytes.js'

/** Bytes of a content key. */
export const CONTENT_KEY_SIZE = 32
/** Bytes of a wrapped content key: nonce, key, tag. */
export const WRAPPED_KEY_SIZE = 60

const NONCE_SIZE = 12

/** SHA-256 of `data`, 32 bytes. */
export const sha256 = async (data: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest('SHA-256', data))

/** HMAC-SHA-256 of `data` under a `key` of at least one byte, 32 bytes. */
export const hmac = async (key: Bytes, data: Bytes): Promise<Bytes> => {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, data))
}

/** HKDF-SHA-256, extract and expand, giving `length` bytes. An empty `salt` means RFC 5869's string of zeros. */
export const hkdf = async (ikm: Bytes, salt: Bytes, info: Bytes, length: number): Promise<Bytes> => {
  const imported = await crypto.subtle.importKey('raw', ikm, 'HKDF', false, ['deriveBits'])
  const bits = await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, imported, 8 * length)
  return new Uint8Array(bits)
}

/** A fresh content key, 32 bytes: one for each session. */
export const newContentKey = (): Bytes => randomBytes(CONTENT_KEY_SIZE)

/** SK, 32 bytes, from SPAKE2's Ke (section 3). Nobody uses it before checking the other side's confirmation. */
export const sessionKey = (Ke: Bytes, sid: SessionId): Promise<Bytes> => hkdf(Ke, utf8(sid), utf8('local-send/1 session'), 32)

/** What two people may compare by voice: 8 bytes derived from SK as `xxxx xxxx xxxx xxxx` (section 3). */
export const verifier = async (SK: Bytes, sid: SessionId): Promise<string> => {
  const bytes = await hkdf(SK, utf8(sid), utf8('local-send/1 verifier'), 8)
  return toHex(bytes).replace(/(.{4})(?=.)/g, '$1 ')
}

/**
 * The content key sealed for the other side, 60 bytes (section 4).
 *
 * @param nonce 12 bytes, random unless a test fixes them; never use one twice with the same SK
 * @throws RangeError unless the content key has 32 bytes and the nonce 12
 */
export const wrapContentKey = async (SK: Bytes, sid: SessionId, contentKey: Bytes, nonce = randomBytes(NONCE_SIZE)): Promise<Bytes> => {
  if (contentKey.length !== CONTENT_KEY_SIZE || nonce.length !== NONCE_SIZE) throw new RangeError('A content key has 32 bytes, its nonce 12.')
  const key = await wrappingKey(SK, sid, 'encrypt')
  return concat(nonce, new Uint8Array(await crypto.subtle.encrypt(wrapping(nonce, sid), key, contentKey)))
}

/**
 * The content key out of what {@link wrapContentKey} gave, 32 bytes.
 *
 * @throws WRAPPED_KEY_REFUSED unless it is 60 bytes, sealed for this session under this SK
 */
export const unwrapContentKey = async (SK: Bytes, sid: SessionId, wrapped: Uint8Array): Promise<Bytes> => {
  if (wrapped.length !== WRAPPED_KEY_SIZE) throw new LocalSendError('WRAPPED_KEY_REFUSED')
  const bytes = concat(wrapped)
  const key = await wrappingKey(SK, sid, 'decrypt')
  try {
    return new Uint8Array(await crypto.subtle.decrypt(wrapping(bytes.slice(0, NONCE_SIZE), sid), key, bytes.subarray(NONCE_SIZE)))
  } catch (cause) {
    throw new LocalSendError('WRAPPED_KEY_REFUSED', { cause })
  }
}

const wrappingKey = async (SK: Bytes, sid: SessionId, usage: 'encrypt' | 'decrypt') =>
  crypto.subtle.importKey('raw', await hkdf(SK, utf8(sid), utf8('local-send/1 wrap'), 32), 'AES-GCM', false, [usage])

const wrapping = (iv: Bytes, sid: SessionId) => ({ name: 'AES-GCM', iv, additionalData: utf8(`local-send/1 content key\0${sid}`) })

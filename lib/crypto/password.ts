/**
 * From the password that someone typed to SPAKE2's w (protocol local-send/1, section 2).
 *
 *     pw = UTF-8 of the prepared password, 8 to 1024 bytes
 *     st = PBKDF2-HMAC-SHA-256(pw, "local-send/1 pbkdf2" ‖ 00 ‖ sid, 600000, 32)      RFC 8018 section 5.2
 *     w  = OS2IP(HKDF(st, sid, "local-send/1 w", 48)) mod n                           48 bytes: 128 bits more than n, no bias
 *
 * Specifications: the part of OpaqueString that matters here (RFC 8265, https://www.rfc-editor.org/rfc/rfc8265#section-4.2),
 * PBKDF2 (https://www.rfc-editor.org/rfc/rfc8018#section-5.2).
 *
 * Invariant: two people who typed the same characters get the same w, whatever their keyboards made of accents and spaces.
 */

import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'
import { utf8, type Bytes } from './bytes.js'
import { hkdf } from './keys.js'
import { reduceScalar } from './p256.js'

/** Rounds of PBKDF2: a constant, bound into the confirmations' AAD (section 3), never negotiated (section 2). */
export const PBKDF2_ITERATIONS = 600_000

/** Bytes that a prepared password may have. */
export const PASSWORD_BYTES = { min: 8, max: 1024 } as const

/**
 * The bytes of a password as PBKDF2 gets them (section 2).
 *
 * @throws PASSWORD_INVALID on lone surrogates, control characters, or a length outside of 8 to 1024 bytes
 */
export const preparePassword = (password: string): Bytes => {
  if (/[\p{Cs}\p{Cc}]/u.test(password)) throw new LocalSendError('PASSWORD_INVALID')
  const bytes = utf8(password.replace(/\p{Zs}/gu, ' ').normalize('NFC'))
  if (bytes.length < PASSWORD_BYTES.min || bytes.length > PASSWORD_BYTES.max) throw new LocalSendError('PASSWORD_INVALID')
  return bytes
}

/** How w is derived: by {@link deriveW}, or by what remembers what that has given. */
export type DeriveW = (password: string, sid: SessionId) => Promise<Bytes>

/**
 * SPAKE2's w for this password in this session: 32 bytes big-endian, in [1, n). About 0.1 s of one core.
 *
 * @throws PASSWORD_INVALID as {@link preparePassword} does
 */
export const deriveW: DeriveW = async (password, sid) => {
  const pw = await crypto.subtle.importKey('raw', preparePassword(password), 'PBKDF2', false, ['deriveBits'])
  const salt = utf8(`local-send/1 pbkdf2\0${sid}`)
  const st = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-256', salt, iterations: PBKDF2_ITERATIONS }, pw, 256)
  return reduceScalar(await hkdf(new Uint8Array(st), utf8(sid), utf8('local-send/1 w'), 48))
}

/**
 * Bearer tokens and verification codes (protocol local-send/1, section 4). Of a token only its SHA-256 is kept; hashes and
 * codes are compared as secrets.
 */

import { equalSecrets, fromBase64url, randomBytes, toBase64url, toHex, utf8 } from '../crypto/bytes.js'
import { sha256 } from '../crypto/keys.js'

const TOKEN_BYTES = 32
const TOKEN = /^[A-Za-z0-9_-]{43}$/

export interface IssuedToken {
  /** 32 random bytes, base64url: for the client only. */
  readonly token: string
  /** Lowercase hex of the token's SHA-256: for the record. */
  readonly hash: string
}

export async function newToken (): Promise<IssuedToken> {
  const bytes = randomBytes(TOKEN_BYTES)
  return { token: toBase64url(bytes), hash: toHex(await sha256(bytes)) }
}

/** The hash under which a record would hold this token; `undefined` for what cannot be one. */
export async function hashToken (token: string): Promise<string | undefined> {
  if (!TOKEN.test(token)) return undefined
  try {
    return toHex(await sha256(fromBase64url(token)))
  } catch {
    return undefined
  }
}

/** Finds the holder of a token's hash. Every holder is compared, found or not. */
export async function findHolder <Holder extends { readonly tokenHash: string }> (hash: string, holders: readonly Holder[]): Promise<Holder | undefined> {
  const matches = await Promise.all(holders.map(({ tokenHash }) => equalSecrets(utf8(hash), utf8(tokenHash))))
  return holders[matches.indexOf(true)]
}

const CODES = 1_000_000
const UINT32 = 2 ** 32

/** Six decimal digits, uniform: a draw beyond the last whole multiple of 10⁶ is thrown away. */
export function newVerificationCode (): string {
  for (;;) {
    const drawn = new DataView(randomBytes(4).buffer).getUint32(0)
    if (drawn < UINT32 - UINT32 % CODES) return String(drawn % CODES).padStart(6, '0')
  }
}

export const codesMatch = (given: string, expected: string): Promise<boolean> => equalSecrets(utf8(given), utf8(expected))

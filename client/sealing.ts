/**
 * What is kept so that an interrupted transfer can be gone on with is sealed: it holds the token and the content key of a session, and says what was sent.
 *
 *     key    = HKDF(w, salt = sid, info = "local-send/1 cli state", 32)      w: SPAKE2's, from the passphrase
 *     sealed = nonce(12 random) ‖ AES-256-GCM(key, nonce, bytes, aad = what it is and its place)
 *
 * Invariant: nothing opens without the passphrase, and nothing in another place than the one it was sealed for.
 */

import { concat, randomBytes, utf8, type Bytes } from '../lib/crypto/bytes.js'
import { hkdf } from '../lib/crypto/keys.js'
import type { DeriveW } from '../lib/crypto/password.js'
import type { SessionId } from '../lib/ids.js'

const NONCE_SIZE = 12
/** Bytes that sealing adds. */
export const SEALING_SIZE = NONCE_SIZE + 16

type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Seals and opens what belongs to one session. */
export class Sealing {
  readonly #key: Key

  private constructor (key: Key) {
    this.#key = key
  }

  static async from (passphrase: string, sessionId: SessionId, derive: DeriveW): Promise<Sealing> {
    const key = await hkdf(await derive(passphrase, sessionId), utf8(sessionId), utf8('local-send/1 cli state'), 32)
    return new Sealing(await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']))
  }

  async seal (place: string, bytes: Bytes): Promise<Bytes> {
    const iv = randomBytes(NONCE_SIZE)
    return concat(iv, new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: utf8(place) }, this.#key, bytes)))
  }

  /** @returns `undefined` for what was not sealed under this passphrase for this place, or not to its end */
  async open (place: string, sealed: Bytes): Promise<Bytes | undefined> {
    try {
      return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: sealed.slice(0, NONCE_SIZE), additionalData: utf8(place) }, this.#key, sealed.subarray(NONCE_SIZE)))
    } catch {
      return undefined
    }
  }
}

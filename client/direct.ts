/**
 * The way past the server (docs/protocol.md, section 7): where the receiver reaches the sender's machine, he takes a file that is
 * being sent from there. What comes is the same container, opened by the same checks.
 *
 * Invariant: whoever asks has the content key, and asks for the first time. There is no TLS on this way, so whoever watches sees what
 * was shown; it opens nothing twice.
 */

import { concat, equalSecrets, fromBase64url, randomBytes, toBase64url, toHex, utf8, type Bytes } from '../lib/crypto/bytes.js'
import { hkdf, hmac } from '../lib/crypto/keys.js'
import type { Member } from './session.js'

const NONCE_SIZE = 16
const MAC_SIZE = 32
/** Requests of one session that are let in: each costs the memory of its nonce. */
const MAX_REQUESTS = 10_000

/** Makes what a receiver shows, and checks it. */
export class DirectKey {
  readonly #key: Bytes
  readonly #used = new Set<string>()

  private constructor (key: Bytes) {
    this.#key = key
  }

  /** @returns `undefined` for a managed session, whose members have no key */
  static async of ({ contentKey, sessionId }: Pick<Member, 'contentKey' | 'sessionId'>): Promise<DirectKey | undefined> {
    return contentKey && new DirectKey(await hkdf(contentKey, utf8(sessionId), utf8('local-send/1 direct'), 32))
  }

  /**
   * A token for one request.
   *
   * @param request - what it is for: its method and path, and where it begins
   */
  async token (request: string): Promise<string> {
    const nonce = randomBytes(NONCE_SIZE)
    return toBase64url(concat(nonce, await hmac(this.#key, concat(nonce, utf8(request)))))
  }

  /** Whether a member has made this token for this request, and it has not been shown before. */
  async admits (token: string, request: string): Promise<boolean> {
    const bytes = bytesOf(token)
    if (bytes?.length !== NONCE_SIZE + MAC_SIZE) return false
    const nonce = bytes.slice(0, NONCE_SIZE)
    if (!await equalSecrets(bytes.slice(NONCE_SIZE), await hmac(this.#key, concat(nonce, utf8(request))))) return false
    const isNew = !this.#used.has(toHex(nonce)) && this.#used.size < MAX_REQUESTS
    if (isNew) this.#used.add(toHex(nonce))
    return isNew
  }
}

/** What the token of a request is made for. */
export const directRequest = (method: string, path: string, from: number): string => `${method} ${path} ${from}`

function bytesOf (token: string): Bytes | undefined {
  try {
    return fromBase64url(token)
  } catch {
    return undefined
  }
}

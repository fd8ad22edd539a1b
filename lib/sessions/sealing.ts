/**
 * Bytes under an operator's secret, for what is kept outside this process's memory.
 *
 *     sealed = salt(32 random) ‖ nonce(12 random) ‖ AES-256-GCM(HKDF(secret, salt, info, 32), nonce, plaintext)
 *
 * Invariant: everything sealed has a key of its own, and opens under its own info only.
 */

import { concat, randomBytes, type Bytes } from '../crypto/bytes.js'
import { hkdf } from '../crypto/keys.js'

const SALT_SIZE = 32
const NONCE_SIZE = 12

/** What is sealed under: always `current`; what an earlier one has sealed is opened too. */
export interface Secrets {
  readonly current: Bytes
  readonly previous?: Bytes | undefined
}

export async function seal (secret: Bytes, info: Bytes, plaintext: Bytes): Promise<Bytes> {
  const salt = randomBytes(SALT_SIZE)
  const iv = randomBytes(NONCE_SIZE)
  const key = await sealingKey(secret, salt, info, 'encrypt')
  return concat(salt, iv, new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, plaintext)))
}

/** Rejects what {@link seal} has not made under this secret and for this info. */
export async function open (secret: Bytes, info: Bytes, sealed: Uint8Array): Promise<Bytes> {
  const bytes = concat(sealed)
  const iv = bytes.slice(SALT_SIZE, SALT_SIZE + NONCE_SIZE)
  const key = await sealingKey(secret, bytes.slice(0, SALT_SIZE), info, 'decrypt')
  return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, bytes.subarray(SALT_SIZE + NONCE_SIZE)))
}

/** The same under either secret. @returns also whether it was the previous one */
export async function openWithEither ({ current, previous }: Secrets, info: Bytes, sealed: Uint8Array): Promise<{ readonly opened: Bytes, readonly byPrevious: boolean }> {
  try {
    return { opened: await open(current, info, sealed), byPrevious: false }
  } catch (error) {
    if (previous === undefined) throw error
    return { opened: await open(previous, info, sealed), byPrevious: true }
  }
}

const sealingKey = async (secret: Bytes, salt: Bytes, info: Bytes, usage: 'encrypt' | 'decrypt') =>
  crypto.subtle.importKey('raw', await hkdf(secret, salt, info, 32), 'AES-GCM', false, [usage])

import { toHex, utf8 } from '../crypto/bytes.js'
import type { RedisConnection } from './redis-connection.js'

type Argument = string | number | Uint8Array

/** What a script returns: bytes, whole numbers, nothing, and lists of them. */
export type Reply = Buffer | number | null | readonly Reply[]

/** A script that Redis runs atomically. All its keys lie in one hash slot, so that it runs in a cluster too. */
export class RedisScript {
  readonly #source: string
  #digest: Promise<string> | undefined

  constructor (source: string) {
    this.#source = source
  }

  /** @throws LocalSendError STORE_UNAVAILABLE */
  async run (connection: RedisConnection, keys: readonly string[], args: readonly Argument[]): Promise<Reply> {
    // Redis names scripts by their SHA-1.
    this.#digest ??= crypto.subtle.digest('SHA-1', utf8(this.#source)).then((digest) => toHex(new Uint8Array(digest)))
    const digest = await this.#digest
    const rest = [keys.length, ...keys, ...args.map((value) => value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value)]
    return await connection.run(async (client) => {
      try {
        return await client.callBuffer('evalsha', [digest, ...rest]) as Reply
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return await client.callBuffer('eval', [this.#source, ...rest]) as Reply
      }
    })
  }
}

/** A list that a script returned. */
export const listOf = (reply: Reply): readonly Reply[] => {
  if (reply === null || typeof reply === 'number' || Buffer.isBuffer(reply)) throw new TypeError('The script returned no list.')
  return reply
}

export const textOf = (reply: Reply | undefined): string => {
  if (Buffer.isBuffer(reply)) return reply.toString()
  if (typeof reply === 'number') return String(reply)
  throw new TypeError('The script returned no text.')
}

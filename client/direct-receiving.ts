/** Taking a file from its sender's own machine, instead of from the server (docs/protocol.md, section 7). */

import type { FileId } from '../lib/ids.js'
import { Api, type Download } from './api.js'
import { DirectKey, directRequest } from './direct.js'
import { discard, send, type Connection, type Fetch } from './http.js'
import type { OfferedFile } from './offers.js'
import type { Member } from './session.js'

/** Milliseconds in which a sender's machine says that it is there: it is near, or out of reach. */
const REACH_TIME = 500
/** Milliseconds in which it begins to answer. */
const ANSWER_TIME = 5000
/** Lists of addresses that are tried: a sender has one, and another one each time that he begins anew. A hostile one would have others scanned. */
const MAX_LISTS = 4

/** The senders' machines of one session, as far as they can be reached. */
export class DirectReceiving {
  readonly #member: Member
  readonly #fetch: Fetch
  readonly #onBegin: () => void
  /** The address that has answered, by all those that were named; `undefined`: none did. */
  readonly #reached = new Map<string, string | undefined>()
  /** Where the last answer for a file was to begin. What is to begin there again did not come from there. */
  readonly #asked = new Map<FileId, number>()

  /**
   * @param fetch - reaches machines without a proxy between
   * @param onBegin - called when bytes of a file come from its sender's machine
   */
  constructor (member: Member, fetch: Fetch, onBegin: () => void = () => undefined) {
    this.#member = member
    this.#fetch = fetch
    this.#onBegin = onBegin
  }

  /**
   * A file from this offset of its container on.
   *
   * @returns `undefined` if it is not to be had there: then the server has it, or will have it
   * @throws the signal's reason
   */
  async download ({ fileId, direct = [], state }: OfferedFile, from: number, signal: AbortSignal): Promise<Download | undefined> {
    const key = await DirectKey.of(this.#member)
    if (key === undefined || direct.length === 0 || state === 'ready' || this.#asked.get(fileId) === from) return undefined
    this.#asked.set(fileId, from)
    const address = await this.#addressOf(direct, fileId, key, signal)
    if (address === undefined) return undefined
    const late = new AbortController()
    const timer = setTimeout(() => { late.abort() }, ANSWER_TIME)
    try {
      const token = await key.token(directRequest('GET', this.#pathOf(fileId), from))
      const download = await new Api(this.#connectionTo(address), this.#member.sessionId, token).download(fileId, { from, signal: AbortSignal.any([signal, late.signal]) })
      this.#onBegin()
      return download
    } catch {
      signal.throwIfAborted()
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }

  /** The address that answers; tried once for each list of them. */
  async #addressOf (addresses: readonly string[], fileId: FileId, key: DirectKey, signal: AbortSignal): Promise<string | undefined> {
    const list = addresses.join()
    if (this.#reached.has(list) || this.#reached.size === MAX_LISTS) return this.#reached.get(list)
    const address = await this.#reach(addresses, fileId, key, signal)
    signal.throwIfAborted()
    this.#reached.set(list, address)
    return address
  }

  #connectionTo (address: string): Connection {
    return { server: `http://${address}`, fetch: this.#fetch }
  }

  #pathOf (fileId: FileId): string {
    return `/${this.#member.sessionId}/download/${fileId}`
  }

  /** The first address that answers. */
  async #reach (addresses: readonly string[], fileId: FileId, key: DirectKey, signal: AbortSignal): Promise<string | undefined> {
    const over = new AbortController()
    const timer = setTimeout(() => { over.abort() }, REACH_TIME)
    const path = this.#pathOf(fileId)
    try {
      return await Promise.any(addresses.map(async (address) => {
        const token = await key.token(directRequest('HEAD', path, 0))
        await discard(await send(this.#connectionTo(address), { method: 'HEAD', path, token, expects: [200], signal: AbortSignal.any([signal, over.signal]) }))
        return address
      }))
    } catch {
      return undefined
    } finally {
      clearTimeout(timer)
      over.abort()
    }
  }
}

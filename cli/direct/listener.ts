/** Where the receiver reaches this machine, and what he is told there (docs/protocol.md, section 7). */

import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { DirectKey, directRequest } from '../../client/direct.js'
import { DirectSending, type DirectRequest } from '../../client/direct-sending.js'
import type { Member } from '../../client/session.js'
import type { Bytes } from '../../lib/crypto/bytes.js'
import { MAX_DIRECT } from '../../lib/crypto/metadata.js'
import { isFileId, type FileId, type SessionId } from '../../lib/ids.js'

/** Connections at one time: a receiver makes one to each address, and whoever else comes gets nothing. */
const MAX_CONNECTIONS = 2 * MAX_DIRECT
/** Milliseconds in which a request has to be there. */
const REQUEST_TIME = 5000
/** Bytes that are written at once, and the milliseconds in which the receiver has to take them. */
const WRITTEN = { size: 2 ** 19, time: 15_000 }

/** Hands files out on a port of its own. */
export class DirectListener {
  readonly sending: DirectSending
  readonly #server: Server
  readonly #sessionId: SessionId
  readonly #key: DirectKey

  private constructor (server: Server, sending: DirectSending, sessionId: SessionId, key: DirectKey) {
    this.#server = server
    this.sending = sending
    this.#sessionId = sessionId
    this.#key = key
  }

  /**
   * Listens on all addresses of this machine.
   *
   * @param onBegin - called when a receiver gets the first bytes of an answer
   * @returns `undefined` if this machine does not let it
   */
  static async open (member: Member, onBegin: () => void): Promise<DirectListener | undefined> {
    const key = await DirectKey.of(member)
    const addresses = ownAddresses()
    if (key === undefined || addresses.length === 0) return undefined
    const server = createServer({ headersTimeout: REQUEST_TIME, requestTimeout: REQUEST_TIME, connectionsCheckingInterval: REQUEST_TIME })
    server.maxConnections = MAX_CONNECTIONS
    const port = await listen(server)
    if (port === undefined) return undefined
    // A connection that cannot be accepted is one that the receiver does without.
    server.on('error', () => {})
    const sending = new DirectSending(addresses.map((address) => `${address}:${port}`), onBegin)
    const listener = new DirectListener(server, sending, member.sessionId, key)
    server.on('request', (request, response) => { void listener.#answer(request, response) })
    return listener
  }

  /** Cuts off what is under way. */
  async close (): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #answer ({ method = '', url = '', headers: { authorization = '', range = 'bytes=0-' } }: IncomingMessage, response: ServerResponse): Promise<void> {
    const [, from] = /^bytes=(\d{1,15})-$/.exec(range) ?? []
    const [, path = '', sessionId, fileId] = /^\/api\/session(\/([0-9a-f]{8})\/download\/([0-9a-f]{32}))$/.exec(url) ?? []
    const [, token = ''] = /^Bearer ([\w-]{64})$/.exec(authorization) ?? []
    if (!await this.#key.admits(token, directRequest(method, path, Number(from)))) end(response, 401, 'UNAUTHORIZED')
    else if (sessionId !== this.#sessionId || !isFileId(fileId)) end(response, 404, 'NOT_FOUND')
    else if (method === 'HEAD') end(response, 200)
    else this.sending.ask(requestOf(fileId, Number(from), response))
  }
}

/** @returns the port; `undefined` if it cannot */
async function listen (server: Server): Promise<number | undefined> {
  // A machine without IPv6 has no such address.
  for (const host of ['::', '0.0.0.0']) {
    try {
      server.listen({ host, port: 0 })
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    } catch {}
  }
  return undefined
}

/** The addresses of this machine under which others may reach it, those of IPv4 first; its own ones for itself if it has no other. */
function ownAddresses (): readonly string[] {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []).filter(({ scopeid }) => scopeid === undefined || scopeid === 0)
  const outer = all.filter(({ internal }) => !internal)
  return (outer.length > 0 ? outer : all)
    .sort((a, b) => a.family.localeCompare(b.family))
    .map(({ family, address }) => family === 'IPv6' ? `[${address}]` : address)
    .slice(0, MAX_DIRECT)
}

function end (response: ServerResponse, status: number, code?: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(code === undefined ? undefined : JSON.stringify({ code }))
}

function requestOf (fileId: FileId, from: number, response: ServerResponse): DirectRequest {
  const gone = new AbortController()
  response.on('error', () => {}).on('close', () => { gone.abort(new Error('The receiver has gone.')) })
  return {
    fileId,
    from,
    signal: gone.signal,
    refuse: () => { if (!response.headersSent) end(response, 404, 'FILE_NOT_FOUND') },
    answer: async (size, bytes, signal) => {
      const cutOff = (): void => { response.destroy() }
      signal.addEventListener('abort', cutOff, { once: true })
      response.writeHead(from === 0 ? 200 : 206, {
        'content-type': 'application/octet-stream',
        'content-length': String(size - from),
        ...(from > 0 && { 'content-range': `bytes ${from}-${size - 1}/${size}` })
      }).flushHeaders()
      try {
        for await (const piece of bytes) {
          for (let at = 0; at < piece.length; at += WRITTEN.size) {
            if (!await written(response, piece.subarray(at, at + WRITTEN.size))) return
          }
        }
        response.end()
      } catch (error) {
        response.destroy()
        throw error
      } finally {
        signal.removeEventListener('abort', cutOff)
      }
    }
  }
}

/**
 * Writes, and waits until the system has taken it: the bytes may be overwritten then.
 * @returns `false` if the receiver has gone, or does not take it
 */
async function written (response: ServerResponse, bytes: Bytes): Promise<boolean> {
  const timer = setTimeout(() => { response.destroy() }, WRITTEN.time)
  const taken = await new Promise<boolean>((resolve) => {
    const closed = (): void => { resolve(false) }
    if (response.destroyed) closed()
    response.once('close', closed)
    response.write(bytes, (error) => {
      response.off('close', closed)
      resolve(error === undefined || error === null)
    })
  })
  clearTimeout(timer)
  return taken
}

/**
 * Requests by node:http, of which `fetch` is made too: fetch takes 60 ms to load, copies twice what it sends and once what comes,
 * and knows no authorities but the usual ones.
 */

import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import type { Readable } from 'node:stream'
import type { Answer, Fetch, FetchInit } from '../client/http.js'
import { discard } from '../lib/files/discard.js'

/** Milliseconds in which nothing may come and go. */
const PATIENCE = 300_000

/**
 * A `fetch` that reaches servers directly.
 *
 * @param ca - certificates in PEM of the authorities that are trusted; Node's own by default
 */
export function directFetch (ca?: readonly string[]): Fetch {
  const http = new HttpAgent({ keepAlive: true })
  const https = new HttpsAgent({ keepAlive: true, ...(ca !== undefined && { ca: [...ca] }) })
  return async (url, { method, headers, body, signal }) => {
    const options = { method, headers: { ...headers, ...lengthOf(body) }, ...(signal !== undefined && { signal }) }
    const request = url.startsWith('https:') ? requestHttps(url, { ...options, agent: https }) : requestHttp(url, { ...options, agent: http })
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject).setTimeout(PATIENCE, () => request.destroy(new Error(`Nothing came for ${PATIENCE / 1000} s.`)))
      request.end(body)
    })
    return answerOf(response)
  }
}

const lengthOf = (body: FetchInit['body']): Readonly<Record<string, string>> => body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }

function answerOf (response: IncomingMessage): Answer {
  const { statusCode: status = 0, headers } = response
  const empty = status === 204 || status === 304
  if (empty) response.resume()
  return {
    status,
    headers: { get: (name) => headers[name.toLowerCase()]?.toString() ?? null },
    body: empty ? null : asItComes(response)
  }
}

/** The pieces of a body as they are, each when it is asked for, and valid until the next one is. */
function asItComes (body: Readable): ReadableStream<Uint8Array> {
  let given: Uint8Array<ArrayBuffer> | undefined
  let cancelled = false
  return new ReadableStream({
    start (controller) {
      body.on('data', ({ buffer, byteOffset, length }: Uint8Array<ArrayBuffer>) => {
        body.pause()
        // No Buffer: its slice() would be a view.
        given = new Uint8Array(buffer, byteOffset, length)
        controller.enqueue(given)
      }).on('end', () => { if (!cancelled) controller.close() }).on('error', (error) => { controller.error(error) }).pause()
    },
    pull () {
      // Of a buffer that holds nothing else, the memory is wanted for the next one.
      if (given !== undefined && given.byteLength === given.buffer.byteLength) discard(given)
      given = undefined
      body.resume()
    },
    cancel () {
      cancelled = true
      body.destroy()
    }
  }, { highWaterMark: 0 })
}

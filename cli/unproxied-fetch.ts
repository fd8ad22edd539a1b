/**
 * Requests by node:http, of which `fetch` is made too: fetch takes 60 ms to load, copies twice what it sends and once what comes,
 * and knows no authorities but the usual ones.
 */

import { request as requestHttp, type IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Answer, Body, Fetch, FetchInit } from '../client/http.js'
import type { Bytes } from '../lib/crypto/bytes.js'
import { discardOwn } from '../lib/files/discard.js'
import { gathered } from '../lib/files/gathered.js'
import { WideHttpAgent, WideHttpsAgent } from './wide-agents.js'

/** Milliseconds in which nothing may come and go. */
const PATIENCE = 300_000

export interface UnproxiedFetchOptions {
  /** Certificates in PEM of the authorities that are trusted; Node's own by default. */
  readonly ca?: readonly string[] | undefined
  /** Milliseconds in which nothing may come and go; five minutes by default. */
  readonly patience?: number
}

/** A `fetch` that reaches servers directly. */
export function unproxiedFetch ({ ca, patience = PATIENCE }: UnproxiedFetchOptions = {}): Fetch {
  const http = new WideHttpAgent({ keepAlive: true })
  const https = new WideHttpsAgent({ keepAlive: true, ...(ca !== undefined && { ca: [...ca] }) })
  return async (url, { method, headers, body, signal }) => {
    const options = { method, headers: { ...headers, ...lengthOf(body) }, ...(signal !== undefined && { signal }) }
    const request = url.startsWith('https:') ? requestHttps(url, { ...options, agent: https }) : requestHttp(url, { ...options, agent: http })
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject).setTimeout(patience, () => request.destroy(new Error(`Nothing came for ${patience / 1000} s.`)))
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
    body: empty ? null : bodyOf(response)
  }
}

/** A body as it comes; a piece is valid until the next one is asked for. */
function bodyOf (response: IncomingMessage): Body {
  const pieces = gathered(response)
  let given: Bytes | undefined
  const cancel = async (): Promise<void> => {
    response.destroy()
    await pieces.return()
  }
  const read = async (): Promise<IteratorResult<Bytes, void>> => {
    // Its memory is wanted for the next one.
    if (given !== undefined) discardOwn(given)
    given = undefined
    const next = await pieces.next()
    if (next.done !== true) given = next.value
    return next
  }
  return { getReader: () => ({ read, cancel }), cancel }
}

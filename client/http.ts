/**
 * One request and its answer (protocol local-send/1, section 4). Invariants: the token goes to the server that the caller named
 * and nowhere else, so redirects are refused; only calls that may be repeated are, and only when the server says "not now".
 */

import type { Bytes } from '../lib/crypto/bytes.js'
import { ClientError, isErrorCode, type ClientErrorCode } from './errors.js'

/** What a request is made with: what browsers' and Node's `fetch` have in common. */
export interface FetchInit {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: string | Bytes
  readonly signal?: AbortSignal
  readonly cache: 'no-store'
  readonly credentials: 'omit'
  readonly redirect: 'manual'
  readonly referrerPolicy: 'no-referrer'
}

/** What of a `Response` is looked at. */
export interface Answer {
  readonly status: number
  readonly type?: string
  readonly headers: { readonly get: (name: string) => string | null }
  /** A piece of it is valid until the next one is asked for. */
  readonly body: Body | null
}

/** What of a `ReadableStream` of bytes is used. */
export interface Body {
  getReader (): {
    read (): Promise<IteratorResult<Uint8Array, unknown>>
    cancel (): Promise<void>
  }
  cancel (): Promise<void>
}

/** How requests are made; the global `fetch` is one. */
export type Fetch = (url: string, init: FetchInit) => Promise<Answer>

/** A server, and the way to it. */
export interface Connection {
  /** Origin and base path, without a slash at the end: `https://send.example.org`. */
  readonly server: string
  /** The global one by default. */
  readonly fetch?: Fetch
}

/** What every function takes. */
export interface Options {
  /** Ends the call; it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface Call extends Options {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE'
  /** Below `/api/session`, with a slash in front. */
  readonly path: string
  readonly token?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  readonly json?: object
  readonly body?: Bytes
  /** The statuses of success. */
  readonly expects: readonly number[]
  /** Whether it does no harm to make the call again. */
  readonly repeatable?: boolean
}

/** How often a call is repeated that the server answered with "not now". */
const REPEATS = 3
/** Seconds that a call waits at most for that. */
const LONGEST_WAIT = 30
/** Bytes of an error answer that are read. */
const MAX_ERROR = 2 ** 16

/**
 * Makes a call. Where the server answers 429 or 503, and the call is `repeatable`, it is made again after the time that
 * Retry-After says: three times at most, and never for a wait of more than 30 s.
 *
 * @returns an answer of one of the statuses expected
 * @throws ClientError with the code of the server's answer; NETWORK; BAD_ANSWER for a redirect or a status of no meaning here
 */
export async function send (connection: Connection, call: Call): Promise<Answer> {
  for (let repeats = 0; ; repeats++) {
    const response = await once(connection, call)
    if (call.expects.includes(response.status)) return response
    const error = await failureOf(response)
    const { status, retryAfter = 1 } = error
    if (call.repeatable !== true || repeats === REPEATS || (status !== 429 && status !== 503) || retryAfter > LONGEST_WAIT) throw error
    await pause(retryAfter * 1000, call.signal)
  }
}

/** The global `fetch`, which some platforms only let be called as a function of its own. */
export const globalFetch: Fetch = (url, init) => fetch(url, init)

async function once ({ server, fetch: fetchWith = globalFetch }: Connection, { path, signal, ...call }: Call): Promise<Answer> {
  signal?.throwIfAborted()
  try {
    return await fetchWith(`${server}/api/session${path}`, initOf(call, signal))
  } catch (cause) {
    throw broken(cause, signal)
  }
}

const initOf = ({ method, token, headers, json, body }: Omit<Call, 'path' | 'signal'>, signal: AbortSignal | undefined): FetchInit => ({
  method,
  headers: {
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(json !== undefined && { 'content-type': 'application/json' }),
    ...headers
  },
  ...(json !== undefined ? { body: JSON.stringify(json) } : body !== undefined && { body }),
  ...(signal !== undefined && { signal }),
  cache: 'no-store',
  credentials: 'omit',
  redirect: 'manual',
  referrerPolicy: 'no-referrer'
})

/** A connection that broke, or the reason of the signal that broke it. */
function broken (cause: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason
  return cause instanceof ClientError ? cause : new ClientError('NETWORK', { cause })
}

/** What an answer means that says neither JSON nor a code: that of a proxy, or one to HEAD. */
const BY_STATUS: Readonly<Record<number, ClientErrorCode>> = {
  401: 'UNAUTHORIZED',
  403: 'CREATOR_ONLY',
  404: 'NOT_FOUND',
  408: 'REQUEST_TIMEOUT',
  413: 'BODY_TOO_LARGE',
  429: 'TOO_MANY_REQUESTS',
  500: 'INTERNAL',
  502: 'NETWORK',
  503: 'SERVER_BUSY',
  504: 'NETWORK'
}

async function failureOf (response: Answer): Promise<ClientError> {
  const { status, type, headers } = response
  const retryAfter = secondsOf(headers.get('retry-after'))
  if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
    await discard(response)
    return new ClientError('BAD_ANSWER', { status, detail: 'It redirects: use the address that it redirects to.' })
  }
  const { code, message } = await errorBodyOf(response)
  const cause = typeof message === 'string' ? new Error(printable(message)) : undefined
  if (status >= 400 && isErrorCode(code)) return new ClientError(code, { status, retryAfter, cause })
  const known = BY_STATUS[status]
  if (known !== undefined) return new ClientError(known, { status, retryAfter, cause })
  return new ClientError('BAD_ANSWER', { status, retryAfter, cause, detail: `It has the status ${status}.` })
}

async function errorBodyOf (response: Answer): Promise<Readonly<Record<string, unknown>>> {
  try {
    return await readJson(response, MAX_ERROR)
  } catch {
    return {}
  }
}

/** Whole seconds from Retry-After, which is a number or a date (RFC 9110, section 10.2.3). */
function secondsOf (header: string | null): number | undefined {
  if (header === null) return undefined
  if (/^\d{1,9}$/.test(header)) return Number(header)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, Math.ceil((date - Date.now()) / 1000))
}

/** A text of the server's, without anything that a terminal would obey, and not long. */
export const printable = (text: string): string => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD').slice(0, 500)

/**
 * The JSON object that an answer holds.
 *
 * @param max - bytes that are read at most
 * @throws ClientError BAD_ANSWER if it is no JSON object, or longer; NETWORK
 */
export async function readJson (response: Answer, max: number, signal?: AbortSignal): Promise<Readonly<Record<string, unknown>>> {
  let length = 0
  let text = ''
  const decoder = new TextDecoder()
  for await (const piece of piecesOf(response, signal)) {
    length += piece.length
    if (length > max) throw new ClientError('BAD_ANSWER', { status: response.status, detail: `It is longer than ${max} bytes.` })
    text += decoder.decode(piece, { stream: true })
  }
  const value = parse(text + decoder.decode())
  if (!isRecord(value)) throw new ClientError('BAD_ANSWER', { status: response.status, detail: 'It is no JSON object.' })
  return value
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether a value of JSON is an object. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * The body of an answer as it comes. Whoever stops early ends the transfer.
 *
 * @throws ClientError NETWORK if the connection breaks; the signal's reason
 */
export async function * piecesOf ({ body }: Answer, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const next = await reader.read()
      if (next.done === true) return
      yield next.value
    }
  } catch (cause) {
    throw broken(cause, signal)
  } finally {
    // After the end, or a failure, there is nothing left to cancel.
    await reader.cancel().catch(() => undefined)
  }
}

/** Lets go of an answer whose body nobody wants. */
export const discard = async ({ body }: Answer): Promise<void> => {
  await body?.cancel().catch(() => undefined)
}

/** Waits. @throws the signal's reason, as soon as it fires */
export async function pause (milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, milliseconds)
    signal?.addEventListener('abort', end)
  })
  signal?.throwIfAborted()
}

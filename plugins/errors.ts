import { STATUS_CODES, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import fp from 'fastify-plugin'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { isLocalSendError, LocalSendError, type ErrorCode } from '../lib/errors.js'

/** The body of every error answer. */
export interface ErrorBody {
  readonly statusCode: number
  readonly code: ErrorCode
  readonly error: string
  readonly message: string
}

export const errorBody = ({ statusCode, code, message }: LocalSendError): ErrorBody =>
  ({ statusCode, code, error: STATUS_CODES[statusCode] ?? 'Error', message })

declare module 'fastify' {
  interface FastifyReply {
    /** What an error answer says; `null` in any other. */
    errorCode: ErrorCode | null
  }
}

/** What the framework and its plugins throw, in terms of the catalogue. */
const FRAMEWORK_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_NOT_FOUND: 'NOT_FOUND'
}

/** Refusals of a server that is healthy and does not want to. */
const INTENDED: readonly ErrorCode[] = ['SERVER_STOPPING', 'SERVER_DRAINING']

/** What Node's parser of HTTP finds wrong with a request, in terms of the catalogue. */
const PARSER_CODES: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE'
}

/** By the request's id in its line of the log, which names the path. */
const unreadable = new WeakMap<IncomingMessage, string>()
/** No route has it. */
const NO_PATH = '/unreadable'

/**
 * Refuses a request that no route can be found for, since its path cannot be read, by way of the handler of those that none is found
 * for: the framework would pass over all hooks, and with them the headers of every answer, the metrics, and what becomes of a body.
 */
export function refuseUrl (_error: FastifyError, { id, raw, server }: FastifyRequest, reply: FastifyReply): void {
  unreadable.set(raw, id)
  raw.url = NO_PATH
  server.routing(raw, reply.raw)
}

/** A connection, as Node's own handler of such errors looks at it too: with the answer that is on its way. */
type Connection = Socket & { readonly _httpMessage?: { readonly headersSent: boolean } | null }

/** Answers what is not HTTP, unless another answer is on its way, and closes the connection. */
export function refuseMalformed (error: Error & { readonly code?: string }, socket: Connection): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  if (socket.writable && socket._httpMessage?.headersSent !== true) {
    const known = new LocalSendError(PARSER_CODES[error.code ?? ''] ?? 'INVALID_REQUEST')
    const body = JSON.stringify(errorBody(known))
    socket.write(`HTTP/1.1 ${known.statusCode} ${STATUS_CODES[known.statusCode] ?? ''}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
  }
  socket.destroy(error)
}

/** One form for all errors, from one catalogue (lib/errors.ts). What is not in it is logged and answered as INTERNAL. */
export default fp((app) => {
  app.decorateReply('errorCode', null)
  app.setErrorHandler((error, request, reply) => {
    const known = toCatalogue(error)
    if (known.statusCode >= 500 && !INTENDED.includes(known.code)) request.log.error({ err: error }, known.message)
    else request.log.debug({ err: error }, known.message)
    return send(reply, known)
  })
  app.setNotFoundHandler(({ raw, log }, reply) => {
    const first = unreadable.get(raw)
    if (first === undefined) return send(reply, new LocalSendError('NOT_FOUND'))
    log.info({ first }, 'the path of this request cannot be read: the line of the first id names it')
    return send(reply, new LocalSendError('INVALID_REQUEST', { detail: 'Its path cannot be read, or a part of it is too long.' }))
  })
  return Promise.resolve()
}, { name: 'errors' })

function send (reply: FastifyReply, error: LocalSendError): FastifyReply {
  reply.errorCode = error.code
  if (error.retryAfter !== undefined) void reply.header('retry-after', error.retryAfter)
  return reply.code(error.statusCode).header('cache-control', 'no-store').send(errorBody(error))
}

function toCatalogue (error: unknown): LocalSendError {
  if (isLocalSendError(error)) return error
  if (!isFastifyError(error)) return new LocalSendError('INTERNAL', { cause: error })
  if (error.validation !== undefined) return new LocalSendError('INVALID_REQUEST', { detail: describe(error), cause: error })
  const code = FRAMEWORK_CODES[error.code]
  if (code !== undefined) return new LocalSendError(code, { cause: error })
  // Malformed JSON, an empty body, a Content-Length that is not true: whatever else the framework blames the request for.
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) return new LocalSendError('INVALID_REQUEST', { cause: error })
  return new LocalSendError('INTERNAL', { cause: error })
}

/** Names the field, never its value: it may be a password. */
function describe ({ validation, validationContext }: FastifyError): string {
  const [first] = validation ?? []
  const field = first?.instancePath.slice(1).replaceAll('/', '.')
  const where = [validationContext, field].filter((part) => part !== undefined && part !== '').join(' ')
  return `In ${where}: ${first?.message ?? 'not valid'}.`
}

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'

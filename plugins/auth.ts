import cookie from '@fastify/cookie'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { LocalSendError } from '../lib/errors.js'
import { isSessionId, type SessionId } from '../lib/ids.js'
import type { OperatorArea } from '../lib/service-events.js'
import type { Participant } from '../lib/files/files.js'
import type { Caller } from '../lib/sessions/sessions.js'
import type { Role } from '../lib/sessions/session.js'

/** Who may make a call: anyone; whoever has begun the join attempt it names; that one and the creator; a participant; the creator; the operator (plugins/operator.ts). */
export type Access = 'anyone' | 'attempt' | 'attempt-or-creator' | 'participant' | 'creator' | OperatorArea

declare module 'fastify' {
  interface FastifyContextConfig {
    /** `false`: a request does not count as use of its session, which ends as if it had not come. */
    use?: boolean
    /** Every route under /api says who may call it; the OpenAPI document is made from it too. */
    access?: Access
  }
  interface FastifyRequest {
    /** Whose token or cookie the request carries; `null` without a valid one. Set before rate limits are counted. */
    caller: Caller | null
    /** The token of the Authorization header; `null` without one. */
    bearerToken: string | null
    /** The participant who calls. Only on routes with access `participant` or `creator`. */
    participant (): Participant
  }
  interface FastifyReply {
    /** Sets the cookie that carries a participant's token, limited to its session (protocol, section 4). */
    setSessionCookie (sessionId: SessionId, role: Role, token: string): FastifyReply
    clearSessionCookie (sessionId: SessionId, role: Role): FastifyReply
  }
}

const COOKIES = { creator: 'local_send_creator', joiner: 'local_send_joiner' } as const
const BEARER = /^Bearer +([A-Za-z0-9_-]+) *$/i
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Who is asking, and whether they may. Two steps: the caller is found out in `onRequest`, so that rate limits can tell a
 * participant from a stranger; the call is refused in `preParsing`, before a byte of the body is read.
 */
export default fp(async (app) => {
  await app.register(cookie)
  app.decorateRequest('caller', null)
  app.decorateRequest('bearerToken', null)
  app.decorateRequest('participant', participant)
  app.decorateReply('setSessionCookie', function (sessionId, role, token) {
    return this.setCookie(COOKIES[role], token, cookieOptions(this.request, sessionId))
  })
  app.decorateReply('clearSessionCookie', function (sessionId, role) {
    return this.clearCookie(COOKIES[role], cookieOptions(this.request, sessionId))
  })

  app.addHook('onRequest', async (request) => {
    const id = sessionIdOf(request)
    if (id === undefined) return
    request.bearerToken = BEARER.exec(request.headers.authorization ?? '')?.[1] ?? null
    // A bearer token wins, then the creator's cookie (section 4).
    const tokens = request.headers.authorization === undefined
      ? [request.cookies[COOKIES.creator], request.cookies[COOKIES.joiner]]
      : [request.bearerToken ?? undefined]
    for (const token of tokens) {
      if (token === undefined || request.caller !== null) continue
      request.caller = await app.sessions.authenticate(id, token, request.routeOptions.config.use) ?? null
    }
  })

  app.addHook('preParsing', (request, _reply, payload, done) => {
    const refusal = check(request)
    done(refusal, payload)
  })
}, { name: 'auth', dependencies: ['sessions'] })

function check (request: FastifyRequest): LocalSendError | null {
  const { access = 'anyone' } = request.routeOptions.config
  const { caller } = request
  if (access === 'anyone' || access === 'admin' || access === 'metrics') return null
  if (caller === null) return new LocalSendError('UNAUTHORIZED')
  if (request.headers.authorization === undefined && !SAFE_METHODS.has(request.method) && request.headers.origin !== ownOrigin(request)) {
    return new LocalSendError('CROSS_ORIGIN')
  }
  if (access === 'attempt' || (access === 'attempt-or-creator' && caller.role !== 'creator')) {
    return caller.id === paramsOf(request)['join_id'] ? null : new LocalSendError('NOT_YOUR_ATTEMPT')
  }
  if (caller.role === 'pending') return new LocalSendError('JOIN_PENDING')
  return access === 'creator' && caller.role !== 'creator' ? new LocalSendError('CREATOR_ONLY') : null
}

function participant (this: FastifyRequest): Participant {
  if (this.caller === null || this.caller.role === 'pending') throw new LocalSendError('UNAUTHORIZED')
  return this.caller
}

const paramsOf = (request: FastifyRequest): Record<string, unknown> =>
  typeof request.params === 'object' && request.params !== null ? { ...request.params } : {}

function sessionIdOf (request: FastifyRequest): SessionId | undefined {
  const { id } = paramsOf(request)
  return isSessionId(id) ? id : undefined
}

/** Where PUBLIC_URL is set, no header has a say in it. */
const ownOrigin = ({ server, protocol, host }: FastifyRequest): string => {
  const { PUBLIC_URL: url } = server.config
  return url === undefined ? `${protocol}://${host}` : new URL(url).origin
}

const cookieOptions = (request: FastifyRequest, sessionId: SessionId) => ({
  path: `${request.server.config.BASE_PATH}/api/session/${sessionId}`,
  httpOnly: true,
  sameSite: 'strict',
  secure: ownOrigin(request).startsWith('https:')
} as const)

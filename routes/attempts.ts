import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { fromBase64url, fromHex } from '../lib/crypto/bytes.js'
import { LocalSendError } from '../lib/errors.js'
import { presentAttempt } from './presenters.js'
import { AcceptBody, Attempt, AttemptQuery, Attempts, errorAnswers, JoinParams, RespondBody, SessionParams, Step } from './schemas.js'

const StepErrors = errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'CREATOR_ONLY', 'CROSS_ORIGIN', 'ATTEMPT_NOT_FOUND', 'ATTEMPT_ENDED', 'WRONG_KIND', 'SESSION_FULL', 'SESSION_CLOSED')

/** The join attempts of a session: how far they have come, and what the creator of an end-to-end session does about them. */
const attempts: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/:id/joins', {
    config: { access: 'creator' },
    schema: {
      tags: ['join'],
      operationId: 'attempts',
      summary: 'List join attempts',
      params: SessionParams,
      response: { 200: Attempts, ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_PENDING', 'CREATOR_ONLY', 'SESSION_CLOSED') }
    }
  }, async (request) => {
    const { session } = request.participant()
    const listed = await app.attemptWatch.list(session.id)
    return { joins: listed.map((attempt) => presentAttempt(attempt, 'creator', session)) }
  })

  app.get('/:id/joins/:join_id', {
    exposeHeadRoute: false,
    config: { access: 'attempt-or-creator' },
    schema: {
      tags: ['join'],
      operationId: 'attempt',
      summary: 'How far a join attempt has come',
      description: 'For its joiner and the creator. With `wait` and `after` the answer comes when the status is not `after` any more, or when so many seconds are over.',
      params: JoinParams,
      querystring: AttemptQuery,
      response: { 200: Attempt, ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'NOT_YOUR_ATTEMPT', 'ATTEMPT_NOT_FOUND', 'SESSION_CLOSED') }
    }
  }, async (request, reply) => {
    const { caller, bearerToken, params: { id, join_id: joinId }, query: { wait = 0, after } } = request
    if (caller === null) throw new LocalSendError('UNAUTHORIZED')
    const viewer = caller.role === 'creator' ? 'creator' : 'joiner'
    const attempt = await app.attemptWatch.find(id, caller.id, { joinId, after, patience: Math.min(wait, app.config.IDLE_TIMEOUT) * 1000 }, request.clientSignal)
    if (viewer === 'joiner' && attempt.status === 'joined' && bearerToken !== null) void reply.setSessionCookie(id, 'joiner', bearerToken)
    return presentAttempt(attempt, viewer, caller.session)
  })

  app.post('/:id/joins/:join_id/respond', {
    config: { access: 'creator' },
    schema: {
      tags: ['join'],
      operationId: 'respond',
      summary: 'Answer a joiner',
      description: 'In an end-to-end session: sends the creator\'s SPAKE2 share. A fresh one for each attempt.',
      params: JoinParams,
      body: RespondBody,
      response: { 200: Step, ...StepErrors }
    }
  }, async (request) => {
    await app.relay.respond(request.params.id, request.params.join_id, fromHex(request.body.public_key))
    return { status: 'answered' as const }
  })

  app.post('/:id/joins/:join_id/accept', {
    config: { access: 'creator' },
    schema: {
      tags: ['join'],
      operationId: 'accept',
      summary: 'Let a joiner in',
      description: 'In an end-to-end session, once the joiner\'s confirmation was found right: sends the creator\'s own, and the content key sealed for the joiner.',
      params: JoinParams,
      body: AcceptBody,
      response: { 200: Step, ...StepErrors }
    }
  }, async (request) => {
    const { confirmation, wrapped_key: wrappedKey } = request.body
    await app.relay.accept(request.params.id, request.params.join_id, { confirmation: fromHex(confirmation), wrappedKey: fromBase64url(wrappedKey) })
    return { status: 'joined' as const }
  })

  app.post('/:id/joins/:join_id/reject', {
    config: { access: 'creator' },
    schema: {
      tags: ['join'],
      operationId: 'reject',
      summary: 'Refuse a joiner',
      description: 'In an end-to-end session. It counts as a failed attempt.',
      params: JoinParams,
      response: { 200: Step, ...StepErrors }
    }
  }, async (request) => {
    await app.relay.reject(request.params.id, request.params.join_id)
    return { status: 'rejected' as const }
  })
  return Promise.resolve()
}

export default attempts

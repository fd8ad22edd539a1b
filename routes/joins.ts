import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Static } from 'typebox'
import { fromHex, toHex } from '../lib/crypto/bytes.js'
import { LocalSendError } from '../lib/errors.js'
import type { Joined as JoinResult } from '../lib/sessions/joins.js'
import { presentSession } from './presenters.js'
import { ConfirmBody, Confirmed, errorAnswers, JoinBody, Joined, JoinParams, Pending, SessionParams } from './schemas.js'

/** Joining a session. */
const joins: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/:id/join', {
    config: { access: 'anyone', limit: 'join' },
    schema: {
      tags: ['join'],
      operationId: 'join',
      summary: 'Join a session',
      description: 'With the password: the answer holds the token, which is also set as a cookie. With `public_key` alone: the answer holds the server\'s share and a token that opens the session after a right confirmation.',
      params: SessionParams,
      body: JoinBody,
      response: {
        200: Joined,
        202: Pending,
        ...errorAnswers('INVALID_REQUEST', 'PASSWORD_INVALID', 'JOIN_REFUSED', 'SESSION_NOT_FOUND', 'SESSION_FULL', 'SESSION_CLOSED', 'ATTEMPT_ENDED', 'SESSION_LOCKED', 'ATTEMPTS_PENDING', 'SERVER_BUSY')
      }
    }
  }, async (request, reply) => {
    const id = request.params.id
    const { verification_code: code, password, public_key: publicKey } = request.body
    const share = publicKey === undefined ? undefined : fromHex(publicKey)
    if (password !== undefined) {
      const joined = await app.joins.withPassword(id, code, password, share, request.clientSignal)
      return reply.setSessionCookie(id, 'joiner', joined.token).send(presentJoined(joined))
    }
    if (share === undefined) throw new LocalSendError('INVALID_REQUEST', { detail: 'Send "password", "public_key" or both.' })
    const { joinId, kind, token, share: own } = await app.joins.withShare(id, code, share)
    return reply.code(202).send({ join_id: joinId, status: 'pending', kind, token, public_key: toHex(own) })
  })

  app.post('/:id/joins/:join_id/confirm', {
    config: { access: 'attempt', limit: 'join' },
    schema: {
      tags: ['join'],
      operationId: 'confirm',
      summary: 'Prove knowledge of the password',
      description: 'Sends the joiner\'s SPAKE2 confirmation; the answer is the server\'s. One confirmation ends an attempt, whatever it was. The token of the attempt opens the session from now on.',
      params: JoinParams,
      body: ConfirmBody,
      response: {
        200: Confirmed,
        ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_REFUSED', 'NOT_YOUR_ATTEMPT', 'CROSS_ORIGIN', 'ATTEMPT_ENDED', 'SESSION_FULL', 'SESSION_CLOSED')
      }
    }
  }, async (request, reply) => {
    const id = request.params.id
    const { confirmation } = await app.joins.confirm(id, request.params.join_id, fromHex(request.body.confirmation))
    if (request.bearerToken !== null) void reply.setSessionCookie(id, 'joiner', request.bearerToken)
    return { status: 'joined' as const, confirmation: toHex(confirmation) }
  })
  return Promise.resolve()
}

const presentJoined = ({ session, token, answer }: JoinResult): Static<typeof Joined> => ({
  ...presentSession(session),
  status: 'joined',
  role: 'joiner',
  token,
  ...(answer !== null && { public_key: toHex(answer.share), confirmation: toHex(answer.confirmation) })
})

export default joins

import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Static } from 'typebox'
import { fromHex, toHex } from '../lib/crypto/bytes.js'
import { LocalSendError } from '../lib/errors.js'
import type { Joined as JoinResult } from '../lib/sessions/joins.js'
import { presentSession } from './presenters.js'
import { ConfirmBody, Confirmed, errorAnswers, JoinBody, Joined, JoinParams, Pending, Relayed, SessionParams } from './schemas.js'

/** What a joiner calls. */
const joins: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/:id/join', {
    config: { access: 'anyone', limit: 'join' },
    schema: {
      tags: ['join'],
      operationId: 'join',
      summary: 'Join a session',
      description: 'With the password, in a managed session: the answer holds the token, which is also set as a cookie. With `public_key` alone: the answer holds the server\'s share, unless the session is end-to-end, and a token that opens the session after a right confirmation.',
      params: SessionParams,
      body: JoinBody,
      response: {
        200: Joined,
        202: Pending,
        ...errorAnswers('INVALID_REQUEST', 'PASSWORD_INVALID', 'PASSWORD_NOT_WANTED', 'JOIN_REFUSED', 'SESSION_NOT_FOUND', 'SESSION_FULL', 'SESSION_CLOSED', 'ATTEMPT_ENDED', 'SESSION_LOCKED', 'ATTEMPTS_PENDING', 'SERVER_BUSY')
      }
    }
  }, async (request, reply) => {
    const id = request.params.id
    const { verification_code: code, password, public_key: publicKey } = request.body
    const share = publicKey === undefined ? undefined : fromHex(publicKey)
    const { kind } = await app.sessions.toJoin(id)
    if (password !== undefined) {
      if (kind === 'end-to-end') throw new LocalSendError('PASSWORD_NOT_WANTED')
      const joined = await app.joins.withPassword(id, code, password, share, request.clientSignal)
      return reply.setSessionCookie(id, 'joiner', joined.token).send(presentJoined(joined))
    }
    if (share === undefined) throw new LocalSendError('INVALID_REQUEST', { detail: 'Send "password", "public_key" or both; in an end-to-end session "public_key" alone.' })
    if (kind === 'end-to-end') {
      const { joinId, token } = await app.relay.join(id, code, share)
      return reply.code(202).send({ join_id: joinId, status: 'pending', kind, token })
    }
    const { joinId, token, share: own } = await app.joins.withShare(id, code, share)
    return reply.code(202).send({ join_id: joinId, status: 'pending', kind, token, public_key: toHex(own) })
  })

  app.post('/:id/joins/:join_id/confirm', {
    config: { access: 'attempt', limit: 'join' },
    schema: {
      tags: ['join'],
      operationId: 'confirm',
      summary: 'Prove knowledge of the password',
      description: 'Sends the joiner\'s SPAKE2 confirmation. In a managed session the answer is the server\'s; in an end-to-end one the creator decides: ask for the attempt. One confirmation ends an attempt, whatever it was. The token of the attempt opens the session from then on.',
      params: JoinParams,
      body: ConfirmBody,
      response: {
        200: Confirmed,
        202: Relayed,
        ...errorAnswers('INVALID_REQUEST', 'UNAUTHORIZED', 'JOIN_REFUSED', 'NOT_YOUR_ATTEMPT', 'CROSS_ORIGIN', 'ATTEMPT_NOT_FOUND', 'ATTEMPT_ENDED', 'SESSION_FULL', 'SESSION_CLOSED')
      }
    }
  }, async (request, reply) => {
    const { id, join_id: joinId } = request.params
    const received = fromHex(request.body.confirmation)
    if (request.caller?.session.kind === 'end-to-end') {
      await app.relay.confirm(id, joinId, received)
      return reply.code(202).send({ status: 'confirmed' })
    }
    const { confirmation } = await app.joins.confirm(id, joinId, received)
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

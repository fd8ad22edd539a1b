import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { Type, type Static } from 'typebox'
import { toHex } from '../lib/crypto/bytes.js'
import { LocalSendError } from '../lib/errors.js'
import { adviseOnPassword } from '../lib/sessions/password-advice.js'
import type { Created as NewSession } from '../lib/sessions/sessions.js'
import { presentSession, presentStatus } from './presenters.js'
import { Closed, CreateBody, Created, errorAnswers, SessionParams, Status, Unlocked } from './schemas.js'

/** A session from create to close. */
const session: FastifyPluginAsyncTypebox = async (app) => {
  app.post('/create', {
    config: { access: 'anyone', limit: 'create' },
    schema: {
      tags: ['session'],
      operationId: 'create',
      summary: 'Create a session',
      description: 'The answer\'s token, which is also set as a cookie, makes the caller the creator. Give the session id, the verification code and the password to whoever may join. With `"kind": "end-to-end"` the password stays with you: the participants encrypt, by a client of theirs, and the server cannot read a file.',
      body: CreateBody,
      response: { 201: Created, ...errorAnswers('INVALID_REQUEST', 'PASSWORD_INVALID', 'PASSWORD_NOT_WANTED', 'SERVER_BUSY', 'SERVER_FULL', 'SERVER_DRAINING') }
    }
  }, async (request, reply) => {
    const { kind, password, max_joiners: maxJoiners, max_downloads: maxDownloads, expires_in: seconds } = request.body
    const options = { maxJoiners, maxDownloads, expiresIn: seconds === undefined ? undefined : seconds * 1000 }
    if (kind === 'end-to-end') {
      if (password !== undefined) throw new LocalSendError('PASSWORD_NOT_WANTED')
      return created(reply, await app.sessions.createEndToEnd(options), {})
    }
    if (password === undefined) throw new LocalSendError('INVALID_REQUEST', { detail: 'A managed session needs a "password"; one that is "kind": "end-to-end" has none.' })
    const managed = await app.sessions.createManaged(password, options, request.clientSignal)
    const advice = adviseOnPassword(password)
    return created(reply, managed, { public_key: toHex(managed.share), ...(advice !== undefined && { password_advice: advice }) })
  })

  app.get('/:id/status', {
    config: { access: 'participant' },
    schema: {
      tags: ['session'],
      operationId: 'status',
      summary: 'State of a session',
      params: SessionParams,
      response: { 200: Status, ...errorAnswers('UNAUTHORIZED', 'JOIN_PENDING') }
    }
  }, (request) => {
    const { session, role } = request.participant()
    const resumable = session.uploads.map((upload) => ({ ...upload, size: upload.length, offset: app.uploadActivity.receivedOf(upload) }))
    return presentStatus(session, role, [...resumable, ...app.arrivingFiles.of(session.id)])
  })

  app.post('/:id/unlock', {
    config: { access: 'creator' },
    schema: {
      tags: ['session'],
      operationId: 'unlock',
      summary: 'Get a new verification code',
      description: 'Forgives joins that failed by a wrong code. Those that failed behind a right code are never forgiven.',
      params: SessionParams,
      response: { 200: Unlocked, ...errorAnswers('UNAUTHORIZED', 'JOIN_PENDING', 'CREATOR_ONLY', 'CROSS_ORIGIN', 'SESSION_LOCKED', 'SESSION_CLOSED') }
    }
  }, async (request) => ({ verification_code: await app.sessions.unlock(request.params.id) }))

  app.post('/:id/leave', {
    config: { access: 'participant' },
    schema: {
      tags: ['session'],
      operationId: 'leave',
      summary: 'Give up one\'s token',
      description: 'Takes the caller\'s token away; keys and files that he has he keeps. A session whose creator has left goes on until it expires.',
      params: SessionParams,
      response: { 204: Type.Null({ description: 'Left' }), ...errorAnswers('UNAUTHORIZED', 'JOIN_PENDING', 'CROSS_ORIGIN', 'SESSION_CLOSED') }
    }
  }, async (request, reply) => {
    const { session, id, role } = request.participant()
    await app.sessions.leave(session.id, id)
    return reply.code(204).clearSessionCookie(session.id, role).send(null)
  })

  app.post('/:id/close', {
    config: { access: 'creator' },
    schema: {
      tags: ['session'],
      operationId: 'close',
      summary: 'End a session',
      description: 'Forgets the key, ends all transfers and removes the files.',
      params: SessionParams,
      response: { 200: Closed, ...errorAnswers('UNAUTHORIZED', 'JOIN_PENDING', 'CREATOR_ONLY', 'CROSS_ORIGIN') }
    }
  }, async (request, reply) => {
    const { session, role } = request.participant()
    await app.sessions.close(session.id)
    return reply.clearSessionCookie(session.id, role).send({ status: 'closed' })
  })
  return Promise.resolve()
}

/** What create answers, whichever kind the session is of. */
const created = (reply: FastifyReply, { session, token }: NewSession, own: Pick<Static<typeof Created>, 'public_key' | 'password_advice'>) =>
  reply.code(201).setSessionCookie(session.id, 'creator', token).send({
    ...presentSession(session),
    verification_code: session.verificationCode,
    status: 'created',
    role: 'creator',
    token,
    ...own
  })

export default session

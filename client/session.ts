/**
 * Creating a session, and what a member of one holds (protocol local-send/1, sections 1 and 4). Invariant: the password of an
 * end-to-end session, and what is derived from it, never become part of a request.
 */

import type { Bytes } from '../lib/crypto/bytes.js'
import { newContentKey } from '../lib/crypto/keys.js'
import { preparePassword } from '../lib/crypto/password.js'
import type { SessionKind } from '../lib/crypto/spake2.js'
import type { SessionId } from '../lib/ids.js'
import { Api } from './api.js'
import type { Limits, Role } from './answers.js'
import { ClientError, isClientError, toClientError } from './errors.js'
import type { Connection, Options } from './http.js'

export type { Limits, Role } from './answers.js'
export type { Connection, Fetch, Options } from './http.js'

/** All that a member of a session needs for everything that follows. Keep `token` and `contentKey` secret. */
export interface Member {
  readonly server: string
  readonly sessionId: SessionId
  readonly kind: SessionKind
  readonly role: Role
  readonly token: string
  /** 32 bytes; `undefined` in a managed session, where the server has it. */
  readonly contentKey: Bytes | undefined
  /** RFC 3339, UTC; later if the session is used. */
  readonly expiresAt: string
  readonly limits: Limits
}

/** What {@link createSession} takes. */
export interface CreateOptions extends Options {
  /** `end-to-end` by default. */
  readonly kind?: SessionKind
  /** 8 to 1024 bytes. An end-to-end session only checks its form: it stays here. */
  readonly password: string
  /** How many may join; 1 by default. */
  readonly maxJoiners?: number | undefined
  /** Seconds until the session ends at the latest. */
  readonly expiresIn?: number | undefined
  /** How often each file may be downloaded. */
  readonly maxDownloads?: number | undefined
}

/** A session that has been created. */
export interface CreatedSession {
  readonly member: Member
  /** 6 digits, which those who are to join need beside the id and the password. */
  readonly verificationCode: string
  /** Of a managed session: what would make the password stronger. */
  readonly passwordAdvice: string | undefined
}

/**
 * Creates a session. In an end-to-end one somebody has to answer those who join: see `hostJoins`.
 *
 * @throws ClientError PASSWORD_INVALID; TOO_MANY_JOINERS; UNEXPECTED_KIND if the server made a session of the other kind; what create answers
 */
export async function createSession (connection: Connection, { kind = 'end-to-end', password, signal, ...limits }: CreateOptions): Promise<CreatedSession> {
  checkPassword(password)
  const request = { kind, ...(kind === 'managed' && { password }), ...limits }
  const { verificationCode, passwordAdvice, ...created } = await new Api(connection).create(request, { signal }).catch((error: unknown) => {
    // Nothing else that was asked for has a bound that a server sets.
    throw isClientError(error, 'INVALID_REQUEST') && (limits.maxJoiners ?? 1) > 1 ? new ClientError('TOO_MANY_JOINERS', { status: error.status, cause: error }) : error
  })
  if (created.kind !== kind) throw new ClientError('UNEXPECTED_KIND')
  // hostJoins relies on it: a server that guesses would like to make up some more joiners.
  if (created.limits.maxJoiners > (limits.maxJoiners ?? 1)) throw new ClientError('BAD_ANSWER', { detail: 'The session admits more joiners than were asked for.' })
  const contentKey = kind === 'end-to-end' ? newContentKey() : undefined
  return { member: { server: connection.server, role: 'creator', contentKey, ...created }, verificationCode, passwordAdvice }
}

function checkPassword (password: string): void {
  try {
    preparePassword(password)
  } catch (error) {
    throw toClientError(error)
  }
}

/** The calls of a member's session. */
export const apiOf = (connection: Connection, { sessionId, token }: Pick<Member, 'sessionId' | 'token'>): Api => new Api(connection, sessionId, token)

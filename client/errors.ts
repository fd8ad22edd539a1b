/**
 * What can go wrong for a client: the failures of the server's catalogue, under the codes of its answers, and those that only
 * a client meets. Invariant: no message holds anything that the server wrote, or anything secret.
 */

import { ERRORS, isLocalSendError, type ErrorCode } from '../lib/errors.js'

/** Failures that no answer names, each with one sentence that says what to do. */
export const CLIENT_ERRORS = {
  NETWORK: 'The server cannot be reached, or the connection to it broke.',
  BAD_ANSWER: 'The server\'s answer is not what the protocol says. It may be of another version, or not what it claims to be.',
  UNEXPECTED_KIND: 'The session is of another kind than expected. Who encrypts, the two people or the server, is for you to choose, not for the server: ask whoever created the session.',
  CODE_INVALID: 'This is not a code. It looks like a1b2c3d4-123456-absent-mango-river.',
  PASSWORD_MISSING: 'The code holds no passphrase, so the password is needed as well.',
  WRONG_PASSWORD: 'The confirmation does not match: the password is wrong on one side, or somebody sits in between. This attempt is spent.',
  NOT_ANSWERED: 'Nobody answered: the creator of the session must be online while you join. Try again when he is.',
  REJECTED: 'The creator of the session refused this attempt.',
  GUESSING_SUSPECTED: 'Five confirmations have been sent and none came back right. If the password is certainly right, the server may be guessing it: agree on a new session and a new password.',
  TOO_MANY_ATTEMPTS: 'Far more joins were attempted than people make. The server may be making them up: create another session elsewhere.',
  TOO_MANY_JOINERS: 'The server does not admit so many to a session. Ask for fewer.',
  SOURCE_CHANGED: 'The file has changed since it was read. It has to be sent from the beginning.',
  SOURCE_FAILED: 'The file cannot be read.',
  FILE_DAMAGED: 'The file that came is damaged, cut short or not the one that was announced. Nothing of it should be used.'
} as const satisfies Record<string, string>

/** A code of {@link ClientError}: one of the server's catalogue (docs/errors.md), or one that only clients meet. */
export type ClientErrorCode = ErrorCode | keyof typeof CLIENT_ERRORS

interface Details {
  /** A sentence that is added: which field, which limit. Never anything secret, nor a text of the server's. */
  readonly detail?: string | undefined
  /** Seconds. */
  readonly retryAfter?: number | undefined
  readonly status?: number | undefined
  readonly cause?: unknown
}

const isOwn = (code: ClientErrorCode): code is keyof typeof CLIENT_ERRORS => Object.hasOwn(CLIENT_ERRORS, code)

const messageOf = (code: ClientErrorCode): string => isOwn(code) ? CLIENT_ERRORS[code] : ERRORS[code].message

/** Every failure of this library, except that of an aborted signal, which is the signal's reason. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ClientErrorCode
  /** Seconds after which the server says it is worth trying again. */
  readonly retryAfter: number | undefined
  /** Status of the answer, where there was one. */
  readonly status: number | undefined

  constructor (code: ClientErrorCode, { detail, retryAfter, status, cause }: Details = {}) {
    super([messageOf(code), detail].filter((text) => text !== undefined).join(' '), cause === undefined ? undefined : { cause })
    this.code = code
    this.retryAfter = retryAfter
    this.status = status
  }
}

/** Whether `error` is a {@link ClientError}, of one of these codes if any are given. */
export const isClientError = (error: unknown, ...codes: readonly ClientErrorCode[]): error is ClientError =>
  error instanceof ClientError && (codes.length === 0 || codes.includes(error.code))

/** The session is not there any more, or the token no longer opens it: nothing that is tried again will succeed. */
export const isSessionGone = (error: unknown): boolean =>
  isClientError(error, 'UNAUTHORIZED', 'SESSION_NOT_FOUND', 'SESSION_CLOSED')

/** What may pass by itself: a broken connection, a server that is busy, restarting or failing. */
export const isTransient = (error: unknown): boolean =>
  isClientError(error, 'NETWORK', 'TOO_MANY_REQUESTS', 'INTERNAL', 'SERVER_BUSY', 'STORAGE_UNAVAILABLE', 'STORE_UNAVAILABLE', 'SERVER_STOPPING', 'REQUEST_TIMEOUT')

/** What the modules of lib/crypto throw, as a {@link ClientError} of the same code; anything else as it is. */
export const toClientError = (error: unknown): unknown =>
  isLocalSendError(error) ? new ClientError(error.code, { cause: error }) : error

/** Whether an answer's code is one of the catalogue. */
export const isErrorCode = (code: unknown): code is ErrorCode => typeof code === 'string' && Object.hasOwn(ERRORS, code)

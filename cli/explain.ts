/** Failures as people and scripts get them: one sentence and an exit code, nothing secret. */

import { ClientError, type ClientErrorCode } from '../client/errors.js'
import { CliError } from './cli-error.js'
import { EXIT, type ExitCode } from './exit-codes.js'
import { Interrupted } from './interrupt.js'

export interface Explanation {
  /** Stable, for scripts. */
  readonly code: string
  readonly sentence: string
  readonly exitCode: ExitCode
}

const EXIT_OF: Partial<Record<ClientErrorCode, ExitCode>> = {
  CODE_INVALID: EXIT.wrongPassphrase,
  PASSWORD_MISSING: EXIT.wrongPassphrase,
  PASSWORD_INVALID: EXIT.wrongPassphrase,
  WRONG_PASSWORD: EXIT.wrongPassphrase,
  JOIN_REFUSED: EXIT.wrongPassphrase,
  GUESSING_SUSPECTED: EXIT.wrongPassphrase,
  REJECTED: EXIT.wrongPassphrase,
  SHARE_REFUSED: EXIT.wrongPassphrase,
  CONFIRMATION_REFUSED: EXIT.wrongPassphrase,
  WRAPPED_KEY_REFUSED: EXIT.wrongPassphrase,
  SESSION_NOT_FOUND: EXIT.nobodyThere,
  SESSION_CLOSED: EXIT.nobodyThere,
  SESSION_FULL: EXIT.nobodyThere,
  SESSION_LOCKED: EXIT.nobodyThere,
  UNAUTHORIZED: EXIT.nobodyThere,
  NOT_ANSWERED: EXIT.nobodyThere,
  ATTEMPT_ENDED: EXIT.nobodyThere,
  FILE_DAMAGED: EXIT.someFailed,
  CONTAINER_DAMAGED: EXIT.someFailed,
  METADATA_DAMAGED: EXIT.someFailed,
  SOURCE_CHANGED: EXIT.someFailed,
  SOURCE_FAILED: EXIT.someFailed
}

/** @param server - the address that was tried, for what is about the network */
export function explain (error: unknown, server?: string): Explanation {
  if (error instanceof Interrupted) return { code: 'INTERRUPTED', sentence: 'Interrupted.', exitCode: EXIT.interrupted }
  if (error instanceof CliError) return { code: 'FAILED', sentence: error.message, exitCode: error.exitCode }
  if (error instanceof ClientError) return { code: error.code, sentence: sentenceOf(error, server), exitCode: EXIT_OF[error.code] ?? EXIT.failure }
  return { code: 'INTERNAL', sentence: `Something went wrong that should not: ${String(error instanceof Error ? error.stack : error)}`, exitCode: EXIT.failure }
}

function sentenceOf (error: ClientError, server: string | undefined): string {
  const where = error.code === 'NETWORK' && server !== undefined ? ` It was looked for at ${server}.` : ''
  const when = error.retryAfter === undefined ? '' : ` Try again in ${error.retryAfter} s.`
  const how = error.code === 'UNEXPECTED_KIND' ? ' Where the server is meant to, it takes --managed.' : ''
  return `${error.message}${how}${where}${when}${reasonOf(error)}`
}

/** What the network said, by its code alone: a message could hold anything. */
function reasonOf ({ code, cause }: ClientError): string {
  if (code !== 'NETWORK') return ''
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  const reason = inner instanceof Error && 'code' in inner ? String(inner.code) : ''
  return /^[A-Z0-9_]+$/.test(reason) ? ` (${reason})${adviceOn(reason)}` : ''
}

/** Codes of OpenSSL and Node: https://nodejs.org/docs/latest-v20.x/api/tls.html#x509-certificate-error-codes */
function adviceOn (reason: string): string {
  if (/SELF_SIGNED_CERT|^UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)/.test(reason)) return ' Its certificate is from nobody who is trusted here: --ca FILE names its authority.'
  if (reason === 'ERR_TLS_CERT_ALTNAME_INVALID') return ' Its certificate is for another name.'
  if (reason === 'CERT_HAS_EXPIRED') return ' Its certificate has expired.'
  return reason === 'EPROTO' ? ' It does not seem to speak HTTPS: if that is meant, write http:// before its address.' : ''
}

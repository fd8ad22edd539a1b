import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { SessionId } from '../../lib/ids.js'
import { CliError } from '../cli-error.js'
import { EXIT } from '../exit-codes.js'
import { sentenceFor } from '../files/system-error.js'

/** What is kept of a session that was interrupted: for its creator and each of those who joined from this account a folder of its own. */
export const stateOf = (sessionId: SessionId): string => join(base(), sessionId)

/** Where it is counted how often a session was joined in vain. */
export const guessesOf = (sessionId: SessionId): { readonly folder: string, readonly path: string } =>
  ({ folder: join(base(), 'guesses'), path: join(base(), 'guesses', sessionId) })

/** What keeps a run from noting anything there. */
export const unusable = (path: string, cause: unknown): CliError =>
  new CliError(`${path}, where the state of a transfer is kept, cannot be used: ${sentenceFor(cause)}. XDG_STATE_HOME can name another place.`, EXIT.failure, { cause })

function base (): string {
  const given = process.env['XDG_STATE_HOME'] ?? ''
  // https://specifications.freedesktop.org/basedir-spec/latest/: a relative path is to be ignored.
  return join(isAbsolute(given) ? given : join(homedir(), '.local', 'state'), 'local-send')
}

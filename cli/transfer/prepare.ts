import type { Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import type { Context } from '../context.js'
import { StateFolder, type Owner } from '../state/state-folder.js'
import type { SavedSession } from './saved-session.js'
import { sourcesOf } from './sources.js'

/** What a session that has just been created, or joined, needs besides. */
export interface Prepared {
  readonly sources: readonly Source[]
  readonly folder: StateFolder<SavedSession>
}

/** @throws CliError if something cannot be read, breaks a limit of the session, or cannot be kept */
export async function prepare (member: Member, secret: Pick<Owner, 'passphrase' | 'derive'>, state: SavedSession, { report, signal }: Context): Promise<Prepared> {
  const { sessionId, role } = member
  const sources = await sourcesOf(state.inputs, { member, report, signal })
  return { sources, folder: await StateFolder.create({ ...secret, sessionId, role }, state) }
}

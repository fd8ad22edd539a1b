import { newHostState, type HostState } from '../../client/host-state.js'
import type { SavedMember } from '../../client/saved-member.js'

/** What is to be sent, as it was asked for. */
export interface Inputs {
  /** Absolute; `-` for standard input. */
  readonly paths: readonly string[]
  readonly text?: string | undefined
  /** When it was given, as ISO 8601 has it: by that another run knows it again. */
  readonly textGiven?: string | undefined
  /** What standard input is called. */
  readonly name?: string | undefined
}

/** What another run needs to go on. */
export interface SavedSession {
  readonly member: SavedMember
  /** As it is said, with its passphrase if that was generated. */
  readonly code: string
  readonly inputs: Inputs
  readonly receivers: number
  /** Absolute. */
  readonly output: string
  readonly host: HostState
  readonly maxDownloads?: number | undefined
}

export const newSavedSession = (session: Omit<SavedSession, 'host'>): SavedSession => ({ ...session, host: newHostState() })

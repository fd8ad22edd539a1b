import type { JoinId } from '../lib/ids.js'

/** What outlasts a run of `hostJoins`: with less than this, whoever restarts it would give a guesser new attempts. */
export interface HostState {
  /** Attempts with a wrong confirmation or an unacceptable share. */
  readonly failures: number
  /** Who has a place, from before anything went out that lets him in. */
  readonly joined: readonly JoinId[]
  /** Those of them of whom it is not known that the server has let them in: another run tries again, with the same bytes. */
  readonly admitting?: readonly Admission[]
  /** Attempts that a share was sent for, whatever became of them. */
  readonly answered: readonly JoinId[]
}

/** What lets a joiner in, and is of no use to anybody else. */
export interface Admission {
  readonly joinId: JoinId
  /** cB as hex, the wrapped content key as Base64url. */
  readonly confirmation: string
  readonly wrappedKey: string
  readonly verifier: string
  /** When he was found to know the password, in milliseconds since the epoch: he does not wait for ever. */
  readonly since: number
}

/** The state of a session in which nobody has tried to join yet. */
export const newHostState = (): HostState => ({ failures: 0, joined: [], answered: [], admitting: [] })

/** Who is known to have been let in. */
export const admitted = ({ joined, admitting = [] }: HostState): readonly JoinId[] =>
  joined.filter((id) => !admitting.some(({ joinId }) => joinId === id))

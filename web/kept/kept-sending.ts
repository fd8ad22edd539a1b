import { newHostState, type HostState } from '../../client/host.js'
import type { SendJournal } from '../../client/journal.js'
import { restoreMember, saveMember, type SavedMember } from '../../client/saved-member.js'
import type { Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import { KeptSession, type Owner } from './kept-session.js'
import { keptSourceOf, type KeptSource } from './kept-source.js'
import { KeptSendJournal } from './send-journal.js'

/** What another tab needs to go on sending. */
interface SendState {
  readonly member: SavedMember
  readonly code: string
  readonly sources: readonly KeptSource[]
  readonly receivers: number
  readonly host: HostState
}

/** What is kept from the beginning. */
export interface SendStart extends Pick<SendState, 'code' | 'receivers'> {
  readonly member: Member
  readonly sources: readonly Source[]
}

type Secret = Pick<Owner, 'passphrase' | 'derive'>

/** A session that is kept while this tab sends in it: its state, and the journal. */
export class KeptSending {
  readonly journal: SendJournal
  readonly member: Member
  readonly #session: KeptSession<SendState>
  #state: SendState

  private constructor (session: KeptSession<SendState>, state: SendState, journal: SendJournal) {
    this.#session = session
    this.#state = state
    this.journal = journal
    this.member = restoreMember(state.member)
  }

  /** @returns `undefined` where nothing can be kept */
  static async create ({ member, sources, ...rest }: SendStart, secret: Secret): Promise<KeptSending | undefined> {
    const state = { ...rest, member: saveMember(member), sources: await Promise.all(sources.map(keptSourceOf)), host: newHostState() }
    const session = await KeptSession.create<SendState>({ ...secret, sessionId: member.sessionId, role: 'creator' }, state)
    return session && await KeptSending.#around(session, state).catch(async () => {
      await session.remove()
      return undefined
    })
  }

  /** @throws ProblemError as {@link KeptSession.open} does */
  static async open (owner: Secret & Pick<Owner, 'sessionId'>): Promise<KeptSending> {
    const { session, state } = await KeptSession.open<SendState>({ ...owner, role: 'creator' })
    return await KeptSending.#around(session, state).catch(async (error: unknown) => {
      await session.keep()
      throw error
    })
  }

  static async #around (session: KeptSession<SendState>, state: SendState): Promise<KeptSending> {
    return new KeptSending(session, state, await KeptSendJournal.open(session))
  }

  get state (): Omit<SendState, 'member'> {
    return this.#state
  }

  /** Who has joined, and what else an answer to them depends on. */
  writeHost (host: HostState): Promise<void> {
    return this.#write({ host })
  }

  /** What is sent from now on. */
  async writeSources (sources: readonly Source[]): Promise<void> {
    await this.#write({ sources: await Promise.all(sources.map(keptSourceOf)) })
  }

  /** Leaves it to another tab, or another try. */
  keep (): Promise<void> {
    return this.#session.keep()
  }

  remove (): Promise<void> {
    return this.#session.remove()
  }

  #write (changes: Partial<SendState>): Promise<void> {
    this.#state = { ...this.#state, ...changes }
    return this.#session.write(this.#state)
  }
}

import { signal } from '@preact/signals'
import { newHostState, type HostState } from '../../client/host-state.js'
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
  /** For people who compare them by voice; absent while nobody has joined. */
  readonly verifiers?: readonly string[]
}

/** What is kept from the beginning. */
export interface SendStart extends Pick<SendState, 'code' | 'receivers'> {
  readonly member: Member
  readonly sources: readonly Source[]
}

type Secret = Pick<Owner, 'passphrase' | 'derive'>

/**
 * A session that is kept while this tab sends in it: its state, and the journal. What cannot be written down must not be gone on
 * with by anybody: where the disk is full, all that was kept is removed, and this tab goes on alone.
 */
export class KeptSending {
  readonly member: Member
  /** Whether another tab could go on with it. */
  readonly isKept = signal(true)
  readonly #session: KeptSession<SendState>
  #journal: SendJournal | undefined
  #state: SendState

  private constructor (session: KeptSession<SendState>, state: SendState) {
    this.#session = session
    this.#state = state
    this.member = restoreMember(state.member)
  }

  /** @returns `undefined` where nothing can be kept */
  static async create ({ member, sources, ...rest }: SendStart, secret: Secret): Promise<KeptSending | undefined> {
    const state = { ...rest, member: saveMember(member), sources: await Promise.all(sources.map(keptSourceOf)), host: newHostState() }
    const session = await KeptSession.create<SendState>({ ...secret, sessionId: member.sessionId, role: 'creator' }, state)
    if (session === undefined) return undefined
    const kept = new KeptSending(session, state)
    await kept.#openJournal().catch(() => kept.#giveUp())
    return kept
  }

  /** @throws ProblemError as {@link KeptSession.open} does */
  static async open (owner: Secret & Pick<Owner, 'sessionId'>): Promise<KeptSending> {
    const { session, state } = await KeptSession.open<SendState>({ ...owner, role: 'creator' })
    const kept = new KeptSending(session, state)
    try {
      await kept.#openJournal()
      return kept
    } catch (error) {
      await kept.keep()
      throw error
    }
  }

  get journal (): SendJournal | undefined {
    return this.#journal
  }

  get state (): Omit<SendState, 'member'> {
    return this.#state
  }

  /** Who has joined, and what else an answer to them depends on. */
  writeHost (host: HostState): Promise<void> {
    return this.#write({ host })
  }

  addVerifier (verifier: string): Promise<void> {
    return this.#write({ verifiers: [...new Set([...this.#state.verifiers ?? [], verifier])] })
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

  async #openJournal (): Promise<void> {
    this.#journal = await KeptSendJournal.open(this.#session, () => this.#giveUp())
  }

  #write (changes: Partial<SendState>): Promise<void> {
    this.#state = { ...this.#state, ...changes }
    return this.#session.write(this.#state).catch(() => this.#giveUp())
  }

  async #giveUp (): Promise<void> {
    await this.#session.remove()
    this.isKept.value = false
  }
}

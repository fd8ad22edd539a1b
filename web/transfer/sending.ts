/**
 * Sending, from the files that somebody has chosen to the last receipt. A state machine without a view:
 *
 *     creating → sharing → done
 *        └──────────┴────→ stopped (by who sends), failed
 *
 * Invariants: the passphrase is in the memory of this tab, and nowhere else; but for a session that the server encrypts because
 * its user wants that. What another tab would need to go on is kept sealed under it, until one of the ends.
 */

import { signal } from '@preact/signals'
import { formatCode, generatePassphrase, linkTo } from '../../client/code.js'
import { watchContact } from '../../client/contact.js'
import { Delivery } from '../../client/delivery.js'
import { derivingOnce } from '../../client/derive-once.js'
import { ClientError, isClientError } from '../../client/errors.js'
import { events, type SessionEvent } from '../../client/events.js'
import { hostJoins, type Refusal } from '../../client/host.js'
import { admitted, newHostState, type HostState } from '../../client/host-state.js'
import { keepAlive } from '../../client/keep-alive.js'
import { brokenLimit } from '../../client/limits.js'
import { patiently } from '../../client/retry.js'
import { apiOf, createSession, type Connection, type Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import type { DeriveW } from '../../lib/crypto/password.js'
import type { SessionKind } from '../../lib/crypto/spake2.js'
import type { FileId, JoinId } from '../../lib/ids.js'
import { KeptSending } from '../kept/kept-sending.js'
import { closeSoon } from './farewell.js'
import { problemOf, ProblemError, type Problem } from './problem.js'
import { SendRows, type Achieved } from './send-rows.js'

/** How far sending is. */
export type SendPhase =
  | { readonly name: 'creating' }
  | { readonly name: 'sharing', readonly code: string, readonly link: string }
  | { readonly name: 'done', readonly receivers: number, readonly complete: boolean }
  | { readonly name: 'stopped' }
  | { readonly name: 'failed', readonly problem: Problem }

/** Milliseconds in which the other side is told of an end. */
const FAREWELL = 5000

/** What an earlier tab has left. */
export interface EarlierSending extends Achieved {
  readonly kept: KeptSending
  readonly passphrase: string
  readonly derive: DeriveW
  /** What was begun, and is not gone on with. */
  readonly leftOut: readonly FileId[]
  /** Whether nobody else is let in. */
  readonly locked: boolean
  /** Until it resolves, somebody else answers those who join, and writes down what comes of it. */
  readonly hosting: Promise<void>
}

/** The session that is sent in. */
interface SendSession {
  readonly member: Member
  readonly passphrase: string
  readonly derive: DeriveW
  readonly host: HostState
}

/** What who sends has chosen beside the files. */
export interface SendChoices {
  /** How many may join. */
  readonly receivers: number
  /** Seconds until the session ends at the latest; `undefined`: the server decides. */
  readonly expiresIn: number | undefined
  /** Who encrypts. */
  readonly kind: SessionKind
}

/** Why somebody was not let in: a wrong passphrase, a wrong number in the code, or all places taken. */
export type SendRefusal = Exclude<Refusal, 'lapsed' | 'gone'> | 'code'

/** One act of sending. */
export class Sending {
  readonly phase = signal<SendPhase>({ name: 'creating' })
  readonly files: SendRows
  readonly receivers: number
  readonly kind: SessionKind
  /** How many have joined. */
  readonly joined = signal(0)
  /** Their verifiers, to be compared by voice; there are none where the server encrypts. */
  readonly verifiers = signal<readonly string[]>([])
  /** Whether the server has all of it. */
  readonly uploaded = signal(false)
  /** Attempts to join that were refused, and why the last one was. */
  readonly refused = signal<{ readonly times: number, readonly reason: SendRefusal } | undefined>(undefined)
  /** Whether nobody else is let in. */
  readonly locked = signal(false)
  /** Whether the server cannot be reached at the moment. */
  readonly isLost = signal(false)
  /** What another tab could go on with. */
  readonly #kept = signal<KeptSending | undefined>(undefined)
  readonly #connection: Connection
  readonly #choices: SendChoices
  readonly #stop = new AbortController()
  readonly #joiners = new Set<JoinId>()
  readonly #earlier: EarlierSending | undefined
  #member: Member | undefined

  /** @param earlier - of a session that an earlier tab has begun; without it, one is created */
  constructor (connection: Connection, sources: readonly Source[], choices: SendChoices, earlier?: EarlierSending) {
    this.#connection = watchContact(connection, {
      onLost: () => { this.isLost.value = true },
      onBack: () => { this.isLost.value = false },
      signal: this.#stop.signal
    })
    this.#choices = choices
    this.#earlier = earlier
    this.receivers = choices.receivers
    this.kind = choices.kind
    this.files = new SendRows(sources, earlier)
    this.locked.value = earlier?.locked === true
  }

  /** Whether something would be lost if the page were closed. */
  get isUnderWay (): boolean {
    return this.phase.value.name === 'creating' || this.phase.value.name === 'sharing'
  }

  /** Whether another tab could go on with it. */
  get isKept (): boolean {
    return this.#kept.value?.isKept.value === true
  }

  /** Sends, to the end. */
  async run (): Promise<void> {
    try {
      const session = await (this.#earlier === undefined ? this.#create() : this.#goOn(this.#earlier))
      const { receivers } = await this.#share(session)
      this.phase.value = { name: 'done', receivers, complete: receivers >= this.receivers && this.files.failed.value.length === 0 && !this.files.unmarked.value }
    } catch (error) {
      this.phase.value = this.#stop.signal.aborted ? { name: 'stopped' } : { name: 'failed', problem: problemOf(error) }
    } finally {
      this.#stop.abort()
      if (this.#isCutOff && this.isKept) await this.#kept.value?.keep()
      else await Promise.allSettled([this.#close(), this.#kept.value?.remove()])
    }
  }

  /** Whether it can be gone on with: when the server is back that was away for too long, or with a file that it takes. */
  get #isCutOff (): boolean {
    const { value: phase } = this.phase
    return phase.name === 'failed' && (phase.problem.code === 'NETWORK' || (phase.problem.code === 'LIMIT' && this.#earlier !== undefined))
  }

  /** Ends it for all: who has not received everything will not. */
  stop (): void {
    this.#stop.abort()
  }

  /** The page goes away, for good or to be loaded again: what is kept waits for its sender. Otherwise whoever receives is told, if the browser lets it. */
  abandon (): void {
    if (this.#member !== undefined && this.isUnderWay && !this.isKept) closeSoon(this.#connection, this.#member)
  }

  async #create (): Promise<SendSession> {
    const { receivers: maxJoiners, expiresIn, kind } = this.#choices
    const [passphrase, derive] = [generatePassphrase(), derivingOnce()]
    const { member, verificationCode } = await createSession(this.#connection, { kind, password: passphrase, maxJoiners, expiresIn, signal: this.#stop.signal })
    this.#member = member
    const code = formatCode({ sessionId: member.sessionId, verificationCode, passphrase })
    this.#show(member, code)
    this.#kept.value = await KeptSending.create({ member, code, sources: this.files.sources, receivers: this.receivers }, { passphrase, derive })
    return { member, passphrase, derive, host: newHostState() }
  }

  async #goOn ({ kept, passphrase, derive, leftOut, hosting }: EarlierSending): Promise<SendSession> {
    await hosting
    const { member, state: { code, host, verifiers = [] } } = kept
    this.#kept.value = kept
    this.#member = member
    this.#stop.signal.throwIfAborted()
    for (const joinId of admitted(host)) this.#onJoined(joinId)
    this.verifiers.value = verifiers
    this.#show(member, code)
    for (const fileId of leftOut) await this.#takeBack(member, fileId)
    await kept.writeSources(this.files.sources)
    return { member, passphrase, derive, host }
  }

  /** Shows the code of the session, unless what is to be sent is too much for it. */
  #show (member: Member, code: string): void {
    const broken = brokenLimit(this.files.sources, member)
    if (broken !== undefined) throw new ProblemError({ code: 'LIMIT', broken })
    this.phase.value = { name: 'sharing', code, link: linkTo(member.server, code) }
  }

  /** Whoever receives must not wait for the rest of what will not come. */
  async #takeBack (member: Member, fileId: FileId): Promise<void> {
    const { signal } = this.#stop
    await patiently(() => apiOf(this.#connection, member).deleteFile(fileId, { signal }), signal).catch((error: unknown) => {
      if (!isClientError(error, 'FILE_NOT_FOUND')) throw error
    })
  }

  /** Sends and answers those who join, until enough of them have it. */
  async #share (session: SendSession): Promise<Delivery> {
    const { signal } = this.#stop
    const delivery = this.#delivery(session, signal)
    const handing = delivery.send().then(() => {
      const { gauge, failure } = this.files
      gauge.flush()
      if (failure !== undefined) throw new ProblemError(failure)
      this.uploaded.value = true
      return delivery.settled
    })
    const hosting = this.kind === 'managed' ? this.#watch(session, delivery, signal) : this.#host(session, delivery, signal)
    await Promise.race([handing, Promise.all([hosting, keepAlive(this.#connection, session.member, { signal })])])
    signal.throwIfAborted()
    return delivery
  }

  #delivery ({ member, host }: SendSession, signal: AbortSignal): Delivery {
    return new Delivery({
      connection: this.#connection,
      member,
      sources: this.files.sources,
      journal: this.#kept.value?.journal,
      receivers: this.receivers,
      host,
      signal,
      ...this.files.callbacks
    })
  }

  async #host ({ member, passphrase: password, derive, host: state }: SendSession, delivery: Delivery, signal: AbortSignal): Promise<void> {
    await hostJoins(this.#connection, member, {
      password,
      derive,
      state,
      // What is not kept ends with this tab, and so does the session.
      onState: (host) => this.#kept.value?.writeHost(host) ?? Promise.resolve(),
      onJoined: ({ joinId, verifier }) => {
        this.#onJoined(joinId)
        delivery.onJoined(joinId)
        this.verifiers.value = [...new Set([...this.verifiers.value, verifier])]
        this.#kept.value?.addVerifier(verifier).catch(() => undefined)
      },
      onRefused: ({ joinId, reason }) => {
        if (reason === 'gone') delivery.onGone(joinId)
        // One that lapsed is no failure of anybody's.
        else if (reason !== 'lapsed') this.#refuse(reason)
      },
      onLocked: () => { this.locked.value = true },
      onEvent: (event) => { this.#onEvent(event, delivery) },
      signal
    })
  }

  /** Sees who is let in by a server that encrypts, and so knows the passphrase. */
  async #watch ({ member, host }: SendSession, delivery: Delivery, signal: AbortSignal): Promise<void> {
    for await (const event of events(this.#connection, member, { signal })) {
      if (event.type === 'join.joined') {
        this.#onJoined(event.joinId)
        await this.#kept.value?.writeHost({ ...host, joined: [...this.#joiners] })
      } else if (event.type === 'join.refused' && event.reason === 'password') this.#refuse('password')
      else if (event.type === 'session.locked') this.locked.value = true
      this.#onEvent(event, delivery)
    }
    throw new ClientError('SESSION_CLOSED')
  }

  #onJoined (joinId: JoinId): void {
    this.#joiners.add(joinId)
    this.joined.value = this.#joiners.size
  }

  #onEvent (event: SessionEvent, delivery: Delivery): void {
    delivery.onEvent(event)
    // A list that cannot be read now is read after the next break; what is wrong for good, hosting finds out.
    if (event.type === 'reset') delivery.catchUp().catch(() => undefined)
    if (event.type === 'join.refused' && event.reason === 'code') this.#refuse('code')
  }

  #refuse (reason: SendRefusal): void {
    this.refused.value = { times: (this.refused.value?.times ?? 0) + 1, reason }
  }

  async #close (): Promise<void> {
    if (this.#member === undefined) return
    // That it has ended already is as good.
    await apiOf(this.#connection, this.#member).close({ signal: AbortSignal.timeout(FAREWELL) }).catch(() => undefined)
  }
}

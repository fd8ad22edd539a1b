/**
 * Sending, from the files that somebody has chosen to the last receipt. A state machine without a view:
 *
 *     creating → sharing → done
 *        └──────────┴────→ stopped (by who sends), failed
 *
 * Invariant: the passphrase and the content key are in the memory of this tab, and nowhere else; but for a session that the
 * server encrypts because its user wants that.
 */

import { signal } from '@preact/signals'
import { formatCode, generatePassphrase, linkTo } from '../../client/code.js'
import { watchContact } from '../../client/contact.js'
import { Delivery } from '../../client/delivery.js'
import { ClientError } from '../../client/errors.js'
import { events, type SessionEvent } from '../../client/events.js'
import { hostJoins, newHostState, type Refusal } from '../../client/host.js'
import { keepAlive } from '../../client/keep-alive.js'
import { brokenLimit } from '../../client/limits.js'
import { apiOf, createSession, type Connection, type Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import type { SessionKind } from '../../lib/crypto/spake2.js'
import type { FileId } from '../../lib/ids.js'
import { closeSoon } from './farewell.js'
import { Gauge } from './gauge.js'
import { problemOf, ProblemError, type Problem } from './problem.js'

/** How far sending is. */
export type SendPhase =
  | { readonly name: 'creating' }
  | { readonly name: 'sharing', readonly code: string, readonly link: string }
  | { readonly name: 'done', readonly receivers: number, readonly complete: boolean }
  | { readonly name: 'stopped' }
  | { readonly name: 'failed', readonly problem: Problem }

/** What has become of one source. */
export type SentState = 'waiting' | 'sending' | 'sent' | 'received' | 'failed'

/** Milliseconds in which the other side is told of an end. */
const FAREWELL = 5000

/** One source, as a view shows it. */
export class SendRow {
  readonly source: Source
  readonly gauge: Gauge
  readonly state = signal<SentState>('waiting')
  readonly problem = signal<Problem | undefined>(undefined)

  constructor (source: Source) {
    this.source = source
    this.gauge = new Gauge(source.size)
  }
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
export type SendRefusal = Exclude<Refusal, 'lapsed'> | 'code'

/** One act of sending. */
export class Sending {
  readonly phase = signal<SendPhase>({ name: 'creating' })
  readonly rows: readonly SendRow[]
  readonly gauge: Gauge
  readonly receivers: number
  readonly kind: SessionKind
  /** How many have joined. */
  readonly joined = signal(0)
  /** Their verifiers, to be compared by voice; there are none where the server encrypts. */
  readonly verifiers = signal<readonly string[]>([])
  /** Whether the server has all of it. */
  readonly uploaded = signal(false)
  /** The rows that could not be sent. */
  readonly failed = signal<readonly SendRow[]>([])
  /** Whether the note that this is all could not be sent: whoever receives cannot know that nothing is missing. */
  readonly unmarked = signal(false)
  /** Attempts to join that were refused, and why the last one was. */
  readonly refused = signal<{ readonly times: number, readonly reason: SendRefusal } | undefined>(undefined)
  /** Whether nobody else is let in. */
  readonly locked = signal(false)
  /** Whether the server cannot be reached at the moment. */
  readonly isLost = signal(false)
  readonly #connection: Connection
  readonly #choices: SendChoices
  readonly #stop = new AbortController()
  readonly #byId = new Map<FileId, SendRow>()
  /** Also of files whose upload this side has not yet heard to be over. */
  readonly #received = new Set<FileId>()
  #member: Member | undefined

  constructor (connection: Connection, sources: readonly Source[], choices: SendChoices) {
    this.#connection = watchContact(connection, {
      onLost: () => { this.isLost.value = true },
      onBack: () => { this.isLost.value = false },
      signal: this.#stop.signal
    })
    this.#choices = choices
    this.receivers = choices.receivers
    this.kind = choices.kind
    this.rows = sources.map((source) => new SendRow(source))
    this.gauge = new Gauge(sources.reduce((sum, { size }) => sum + (size ?? 0), 0))
  }

  /** Whether something would be lost if the page were closed. */
  get isUnderWay (): boolean {
    return this.phase.value.name === 'creating' || this.phase.value.name === 'sharing'
  }

  /** Sends, to the end. */
  async run (): Promise<void> {
    try {
      const passphrase = generatePassphrase()
      const member = await this.#create(passphrase)
      const { receivers } = await this.#share(member, passphrase)
      this.phase.value = { name: 'done', receivers, complete: receivers >= this.receivers && this.failed.value.length === 0 && !this.unmarked.value }
    } catch (error) {
      this.phase.value = this.#stop.signal.aborted ? { name: 'stopped' } : { name: 'failed', problem: problemOf(error) }
    } finally {
      this.#stop.abort()
      await this.#close()
    }
  }

  /** Ends it for all: who has not received everything will not. */
  stop (): void {
    this.#stop.abort()
  }

  /** The page goes away: whoever receives is told, if the browser lets it. */
  abandon (): void {
    if (this.#member !== undefined && this.isUnderWay) closeSoon(this.#connection, this.#member)
  }

  async #create (passphrase: string): Promise<Member> {
    const { receivers: maxJoiners, expiresIn, kind } = this.#choices
    const { member, verificationCode } = await createSession(this.#connection, { kind, password: passphrase, maxJoiners, expiresIn, signal: this.#stop.signal })
    this.#member = member
    const broken = brokenLimit(this.rows.map(({ source }) => source), member)
    if (broken !== undefined) throw new ProblemError({ code: 'LIMIT', broken })
    const code = formatCode({ sessionId: member.sessionId, verificationCode, passphrase })
    this.phase.value = { name: 'sharing', code, link: linkTo(member.server, code) }
    return member
  }

  /** Sends and answers those who join, until enough of them have it. */
  async #share (member: Member, passphrase: string): Promise<Delivery> {
    const { signal } = this.#stop
    const delivery = this.#delivery(member, signal)
    const handing = delivery.send().then(() => {
      this.gauge.flush()
      const [first] = this.failed.value
      if (this.failed.value.length === this.rows.length && first?.problem.value !== undefined) throw new ProblemError(first.problem.value)
      this.uploaded.value = true
      return delivery.settled
    })
    const hosting = this.kind === 'managed' ? this.#watch(member, delivery, signal) : this.#host(member, passphrase, delivery, signal)
    await Promise.race([handing, Promise.all([hosting, keepAlive(this.#connection, member, { signal })])])
    signal.throwIfAborted()
    return delivery
  }

  #delivery (member: Member, signal: AbortSignal): Delivery {
    const rows = new Map(this.rows.map((row) => [row.source, row]))
    const sent = new Map<SendRow, number>()
    return new Delivery({
      connection: this.#connection,
      member,
      sources: [...rows.keys()],
      receivers: this.receivers,
      signal,
      onProgress: ({ source, sent: bytes }) => {
        const row = rows.get(source)
        if (row === undefined) return
        row.state.value = 'sending'
        row.gauge.add(bytes - (sent.get(row) ?? 0))
        this.gauge.add(bytes - (sent.get(row) ?? 0))
        sent.set(row, bytes)
      },
      onSent: ({ source, fileId }) => {
        const row = rows.get(source)
        if (row === undefined) return
        row.gauge.flush()
        row.state.value = this.#received.has(fileId) ? 'received' : 'sent'
        this.#byId.set(fileId, row)
      },
      onFailed: ({ source, error }) => {
        const row = rows.get(source)
        if (row === undefined) {
          this.unmarked.value = true
          return
        }
        row.problem.value = problemOf(error)
        row.state.value = 'failed'
        this.failed.value = [...this.failed.value, row]
      }
    })
  }

  async #host (member: Member, password: string, delivery: Delivery, signal: AbortSignal): Promise<void> {
    await hostJoins(this.#connection, member, {
      password,
      state: newHostState(),
      // It ends with this tab, and so does the session.
      onState: () => Promise.resolve(),
      onJoined: ({ verifier }) => {
        this.joined.value += 1
        this.verifiers.value = [...this.verifiers.value, verifier]
      },
      // One that lapsed is no failure of anybody's.
      onRefused: ({ reason }) => { if (reason !== 'lapsed') this.#refuse(reason) },
      onLocked: () => { this.locked.value = true },
      onEvent: (event) => { this.#onEvent(event, delivery) },
      signal
    })
  }

  /** Sees who is let in by a server that encrypts, and so knows the passphrase. */
  async #watch (member: Member, delivery: Delivery, signal: AbortSignal): Promise<void> {
    for await (const event of events(this.#connection, member, { signal })) {
      if (event.type === 'join.joined') this.joined.value += 1
      else if (event.type === 'join.refused' && event.reason === 'password') this.#refuse('password')
      else if (event.type === 'session.locked') this.locked.value = true
      this.#onEvent(event, delivery)
    }
    throw new ClientError('SESSION_CLOSED')
  }

  #onEvent (event: SessionEvent, delivery: Delivery): void {
    delivery.onEvent(event)
    // A list that cannot be read now is read after the next break; what is wrong for good, hosting finds out.
    if (event.type === 'reset') delivery.catchUp().catch(() => undefined)
    if (event.type === 'join.refused' && event.reason === 'code') this.#refuse('code')
    if (event.type !== 'file.received') return
    this.#received.add(event.fileId)
    const row = this.#byId.get(event.fileId)
    if (row !== undefined) row.state.value = 'received'
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

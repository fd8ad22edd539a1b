/**
 * Receiving, from a code to the sender's last entry. A state machine without a view:
 *
 *     asking (for a passphrase) → joining → offered → done
 *                                    └─────────┴────→ left (by who receives), ended (by who sends), failed
 *
 * Invariant: it is done when the sender has said that this was all, and all of it has been verified and saved; never because
 * nothing more comes.
 */

import { computed, signal } from '@preact/signals'
import type { Code } from '../../client/code.js'
import { isCompletionMark } from '../../client/completion-mark.js'
import { confirmThoseThere } from '../../client/confirm.js'
import { watchContact } from '../../client/contact.js'
import { ClientError, isSessionGone } from '../../client/errors.js'
import { events } from '../../client/events.js'
import { pause } from '../../client/http.js'
import type { JoinState } from '../../client/join.js'
import { keepAlive } from '../../client/keep-alive.js'
import { OfferList } from '../../client/offer-list.js'
import type { Offer, OfferedFile } from '../../client/offers.js'
import { apiOf, type Connection, type Member } from '../../client/session.js'
import type { SessionKind } from '../../lib/crypto/spake2.js'
import type { FileId } from '../../lib/ids.js'
import type { ReceiveLog } from '../kept/receive-log.js'
import { join, takeUp } from './entering.js'
import { closeSoon } from './farewell.js'
import { Gauge } from './gauge.js'
import { OfferRow } from './offer-row.js'
import { problemOf, type Problem } from './problem.js'
import { Taking } from './taking.js'

/** How far receiving is. */
export type ReceivePhase =
  | { readonly name: 'asking' }
  | { readonly name: 'joining', readonly step: JoinState }
  | { readonly name: 'offered' }
  | { readonly name: 'done' }
  | { readonly name: 'left' }
  | { readonly name: 'ended' }
  | { readonly name: 'failed', readonly problem: Problem }

/** Milliseconds between two looks at the list: files come by the hundred, and each of them is an event. */
const LOOK_INTERVAL = 250
/** Milliseconds in which the other side is told of an end. */
const FAREWELL = 5000

/** One act of receiving. */
export class Receiving {
  readonly phase = signal<ReceivePhase>({ name: 'asking' })
  readonly rows = signal<readonly OfferRow[]>([])
  /** Whether the sender has said that this was all. */
  readonly complete = signal(false)
  /** Entries that nobody can read: somebody has damaged them. */
  readonly damaged = signal(0)
  /** Whether the server cannot be reached at the moment. */
  readonly isLost = signal(false)
  /** For people who compare it by voice. */
  readonly verifier = signal('')
  readonly kind = signal<SessionKind>('end-to-end')
  readonly gauge = new Gauge(0)
  /** Whether everything that is listed has been dealt with. */
  readonly settled = computed(() => this.rows.value.every(({ state }) => ['saved', 'withdrawn'].includes(state.value)))
  /** How files are taken; there when the session has been joined. */
  readonly taking = signal<Taking | undefined>(undefined)
  /** As it was given, and as it is watched in this run. */
  readonly #unwatched: Connection
  #connection: Connection
  readonly #code: Code
  readonly #isTakenUp: boolean
  #stop = new AbortController()
  #password: string | undefined
  readonly #marks: FileId[] = []
  #member: Member | undefined
  /** What a later tab goes on with. */
  #log: ReceiveLog | undefined
  /** Telling the sender that he may go, from when it has begun. */
  #parting: Promise<void> | undefined
  #changed = true
  #wake = (): void => undefined

  /** @param isTakenUp - whether an earlier tab was interrupted in it, and it is to be gone on with */
  constructor (connection: Connection, code: Code, isTakenUp = false) {
    this.#isTakenUp = isTakenUp
    this.#unwatched = this.#connection = connection
    this.#code = code
  }

  /**
   * Whether something would be lost if the page were closed. A download that the browser has begun is not: Chromium and Firefox finish it
   * without the page, and where it came from stays (kept/tab-folder.ts).
   */
  get isUnderWay (): boolean {
    return this.phase.value.name === 'joining' || this.phase.value.name === 'offered'
  }

  /** Whether a later tab would go on in the middle of something. */
  get isKept (): boolean {
    return this.taking.value?.busy.value === true && this.#log?.isKept === true
  }

  /** Whether the code holds no passphrase, so that it has to be asked for. */
  get needsPassphrase (): boolean {
    return this.#code.passphrase === undefined
  }

  /**
   * Joins, and receives what its user wants, to the end.
   *
   * @param password - where the code holds none
   * @param kind - what its user expects
   */
  async run (password?: string, kind: SessionKind = 'end-to-end'): Promise<void> {
    this.kind.value = kind
    this.#password = password
    this.#connection = this.#watched()
    try {
      this.phase.value = { name: 'joining', step: 'deriving' }
      const member = await this.#enter(password ?? this.#code.passphrase ?? '', kind)
      this.#stop.signal.throwIfAborted()
      this.taking.value = this.#takingFrom(member)
      this.phase.value = { name: 'offered' }
      await Promise.race([this.#follow(member), this.#look(member), keepAlive(this.#connection, member, { signal: this.#stop.signal })])
      this.#stop.signal.throwIfAborted()
    } catch (error) {
      this.#end(error)
    } finally {
      this.#stop.abort()
      await this.#keepOrLeave()
    }
  }

  /** Joins again, a session that the server encrypts: what its user wants all the same. */
  retryManaged (): void {
    this.#stop = new AbortController()
    void this.run(this.#password, 'managed')
  }

  /** Takes no more. */
  leave (): void {
    this.#stop.abort(new Left())
  }

  /**
   * The page goes away: who sends is told, if the browser lets it. Not in the middle of something that a later tab can go on with: whether
   * the page is closed, or only loaded again, nobody says.
   */
  abandon (): void {
    if (this.#member === undefined || !this.isUnderWay || this.isKept) return
    closeSoon(this.#connection, this.#member)
    if (this.#log?.isKept === true) this.#log.abandon()
  }

  #watched (): Connection {
    return watchContact(this.#unwatched, {
      onLost: () => { this.isLost.value = true },
      onBack: () => { this.isLost.value = false },
      signal: this.#stop.signal
    })
  }

  async #enter (password: string, kind: SessionKind): Promise<Member> {
    const onState = (step: JoinState): void => { this.phase.value = { name: 'joining', step } }
    const { member, verifier, log } = this.#isTakenUp
      ? await takeUp(this.#code, password)
      : await join(this.#connection, this.#code, { password, kind, onState, signal: this.#stop.signal })
    this.#member = member
    this.#log = log
    this.kind.value = member.kind
    this.verifier.value = verifier
    return member
  }

  /** Follows the session's events until it is over. */
  async #follow (member: Member): Promise<void> {
    for await (const event of events(this.#connection, member, { signal: this.#stop.signal })) {
      if (event.type === 'file.deleted') this.#withdraw(event.fileId)
      if (['file.started', 'file.ready', 'file.deleted', 'reset'].includes(event.type)) this.#lookSoon()
    }
    // A sender who was told that all is here ends the session, and that may be heard before the answer to what told him.
    await this.#parting?.catch(() => undefined)
    throw new ClientError('SESSION_CLOSED')
  }

  /** What has been taken back is asked for in vain; what is coming finds out itself. */
  #withdraw (fileId: FileId): void {
    const row = this.rows.value.find(({ file }) => file.fileId === fileId)
    if (row?.isOpen === true) row.is.value = { name: 'withdrawn' }
  }

  #lookSoon (): void {
    this.#changed = true
    this.#wake()
  }

  /** Looks at the list whenever it has changed. */
  async #look (member: Member): Promise<never> {
    const { signal } = this.#stop
    await this.taking.value?.confirmAgain([...this.#log?.saved ?? []])
    const list = new OfferList(this.#connection, member, () => new Set())
    for (;;) {
      if (!this.#changed) await new Promise<void>((resolve) => { this.#wake = resolve })
      this.#changed = false
      await this.#parting
      signal.throwIfAborted()
      this.#add(await list.fresh(signal))
      await this.#confirmMarks(member)
      await pause(LOOK_INTERVAL, signal)
    }
  }

  #add (offers: readonly Offer[]): void {
    const files: OfferedFile[] = []
    for (const offer of offers) {
      if (!('name' in offer)) this.damaged.value += 1
      else if (isCompletionMark(offer)) this.#marks.push(offer.fileId)
      else files.push(offer)
    }
    if (files.length > 0) this.rows.value = [...this.rows.value, ...files.map((file) => this.#rowOf(file))]
    // With something in the list that nobody can read, nobody knows whether the rest is all.
    this.complete.value = this.#marks.length > 0 && this.damaged.value === 0
  }

  #rowOf (file: OfferedFile): OfferRow {
    // A text is nowhere but on the page that showed it.
    const isSaved = file.kind !== 'text' && this.#log?.saved.has(file.fileId) === true
    const row = new OfferRow(file, isSaved && this.#log?.of(file.fileId).kept !== undefined)
    if (isSaved) row.is.value = { name: 'saved' }
    return row
  }

  #takingFrom (member: Member): Taking {
    const { signal } = this.#stop
    return new Taking({
      connection: this.#connection,
      member,
      gauge: this.gauge,
      log: this.#log,
      signal,
      confirm: (ids) => confirmThoseThere(this.#connection, member, ids, { signal }),
      onConfirmed: () => this.#confirmMarks(member)
    })
  }

  /** Tells the sender that he may go: all that he meant to send is here. Not twice: the second time he might be gone. */
  async #confirmMarks (member: Member): Promise<void> {
    if (!this.complete.value || !this.settled.value || this.taking.value?.isConfirmed !== true) return
    this.#parting ??= this.#part(member)
    await this.#parting
  }

  async #part (member: Member): Promise<void> {
    try {
      await confirmThoseThere(this.#connection, member, this.#marks, { signal: this.#stop.signal })
      this.#stop.abort(new Finished())
    } catch (error) {
      this.#parting = undefined
      throw error
    }
  }

  #end (error: unknown): void {
    const reason: unknown = this.#stop.signal.aborted ? this.#stop.signal.reason : error
    if (reason instanceof Finished) this.phase.value = { name: 'done' }
    else if (reason instanceof Left) this.phase.value = { name: 'left' }
    else if (this.#member !== undefined && isSessionGone(reason)) this.phase.value = { name: 'ended' }
    else this.phase.value = { name: 'failed', problem: problemOf(reason) }
  }

  /** What the server was away for too long for is kept, and what was only about to be gone on with; the rest is over. */
  async #keepOrLeave (): Promise<void> {
    await this.taking.value?.ended
    const { name } = this.phase.value
    const isUntouched = this.#isTakenUp && this.taking.value === undefined
    if ((name === 'failed' || isUntouched) && this.#log?.isKept === true) {
      await this.#log.keep()
      return
    }
    await this.#log?.remove()
    // Who has everything has said so, and the sender may have ended the session by now.
    if (this.#member === undefined || name === 'done' || name === 'ended') return
    await apiOf(this.#connection, this.#member).leave({ signal: AbortSignal.timeout(FAREWELL) }).catch(() => undefined)
  }
}

/** Why it ended: everything is here. */
class Finished extends Error {
  override readonly name = 'Finished'
}

/** Why it ended: its user wants no more. */
class Left extends Error {
  override readonly name = 'Left'
}

/** Whether a session of the other kind was found, which its user may want all the same. */
export const isOtherKind = ({ phase }: Pick<Receiving, 'phase'>): boolean =>
  phase.value.name === 'failed' && phase.value.problem.code === 'UNEXPECTED_KIND'

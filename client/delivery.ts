/** What one side hands over from its first byte to the last receipt: everything, then that it was everything, then who has it. */

import type { FileId, JoinId } from '../lib/ids.js'
import { completionMark } from './completion-mark.js'
import type { DirectSending } from './direct-sending.js'
import type { SessionEvent } from './events.js'
import { admitted, newHostState, type HostState } from './host-state.js'
import type { Connection } from './http.js'
import type { SendJournal } from './journal.js'
import { allFiles } from './list.js'
import { Receipts } from './receipts.js'
import { patiently } from './retry.js'
import { sendFiles, type FailedSource, type SendProgress, type SentFile } from './send.js'
import { apiOf, type Member } from './session.js'
import type { Source } from './source.js'

/** What a {@link Delivery} takes. Callbacks must not throw. */
export interface DeliveryOptions {
  readonly connection: Connection
  readonly member: Member
  readonly sources: readonly Source[]
  /** See `sendFiles`. */
  readonly journal?: SendJournal | undefined
  /** See `sendFiles`. */
  readonly direct?: DirectSending | undefined
  /** How many are to have received everything before it counts as done. */
  readonly receivers: number
  /** What the run before left: some of those who had joined may have gone since, and no event tells of it. */
  readonly host?: HostState | undefined
  /** How often each file may be downloaded. */
  readonly maxDownloads?: number | undefined
  readonly signal: AbortSignal
  readonly onSent: (sent: SentFile) => void
  readonly onFailed: (failed: FailedSource) => void
  readonly onProgress: (progress: SendProgress) => void
  /** Somebody has a file, this side's or another one's; told as often as the server says so. */
  readonly onReceived?: (fileId: FileId) => void
}

/** Sends, and counts who has it. */
export class Delivery {
  readonly #options: DeliveryOptions
  readonly #receipts: Receipts
  readonly #own = new Set<FileId>()
  readonly #joined: Set<JoinId>
  /** Who had a place before this run, while it was not known whether the server had let them in. */
  readonly #undecided: Set<JoinId>
  #catchingUp: Promise<void> | undefined
  #failed = 0

  constructor (options: DeliveryOptions) {
    this.#options = options
    const { host = newHostState() } = options
    this.#joined = new Set(admitted(host))
    this.#undecided = new Set(host.admitting?.map(({ joinId }) => joinId))
    this.#receipts = new Receipts(options.receivers, () => { this.#catchUpSoon() })
  }

  /** The ids that this side has written. */
  get own (): ReadonlySet<FileId> {
    return this.#own
  }

  /** Files that could not be sent. */
  get failed (): number {
    return this.#failed
  }

  /** How many have all that was sent. */
  get receivers (): number {
    return this.#receipts.receivers
  }

  /** How many of the entries at least one other has. */
  get received (): number {
    return this.#receipts.received
  }

  /** When enough others have everything, or have left; at once if nothing could be sent. */
  get settled (): Promise<void> {
    return this.#receipts.settled
  }

  /** To be told of every event of the session. */
  onEvent (event: SessionEvent): void {
    if (event.type === 'join.joined') this.#joined.add(event.joinId)
    if (event.type === 'join.requested') this.#options.direct?.expect('joining')
    if (event.type === 'join.joined') this.#options.direct?.expect('joined')
    if (event.type === 'file.received') this.#received(event.fileId)
    this.#receipts.onEvent(event)
  }

  /** To be told of everybody whom `hostJoins` has let in. */
  onJoined (joinId: JoinId): void {
    this.#joined.add(joinId)
    // That may have been before this run, and his leaving before it was listened to.
    if (this.#undecided.delete(joinId)) this.#catchUpSoon()
  }

  /** To be told of everybody whom `hostJoins` has found gone. */
  onGone (joinId: JoinId): void {
    this.#undecided.delete(joinId)
    this.#joined.add(joinId)
    this.#catchUpSoon()
  }

  /** Sends everything, and then that it was everything. */
  async send (): Promise<void> {
    const { sources, member, onSent } = this.#options
    for await (const sent of this.#sendAll(sources)) onSent(sent)
    // Whoever receives is not told that this was all if it was not.
    if (this.#failed === 0 && member.kind === 'end-to-end') await this.#sendMark()
    this.#receipts.close()
  }

  /** Reads from the server's lists what events may have told while nobody listened; one reading after the other. */
  async catchUp (): Promise<void> {
    const before = this.#catchingUp
    this.#catchingUp = Promise.resolve(before?.catch(() => undefined)).then(() => this.#readLists())
    await this.#catchingUp
  }

  /** What is wrong for good, whoever follows the events finds out. */
  #catchUpSoon (): void {
    this.catchUp().catch(() => undefined)
  }

  async #readLists (): Promise<void> {
    const { connection, member, signal } = this.#options
    const api = apiOf(connection, member)
    const joined = this.#joined.size
    // Before the list: so what those who are gone have confirmed is in it.
    const there = joined === 0 ? [] : (await patiently(() => api.status({ signal }), signal)).participants.filter(({ role }) => role === 'joiner')
    const listed = []
    for await (const file of allFiles(api, signal)) listed.push(file)
    for (const { fileId, received } of listed) if (received > 0) this.#received(fileId)
    this.#receipts.count(listed, joined, there.length)
  }

  #received (fileId: FileId): void {
    this.#options.direct?.received(fileId)
    this.#options.onReceived?.(fileId)
  }

  async * #sendAll (sources: readonly Source[]): AsyncGenerator<SentFile, void, undefined> {
    const { connection, member, journal, direct, signal, maxDownloads, onProgress, onFailed } = this.#options
    for await (const outcome of sendFiles(connection, member, sources, { journal, direct, maxDownloads, signal, onProgress })) {
      if ('fileId' in outcome) {
        this.#own.add(outcome.fileId)
        this.#receipts.add(outcome.fileId)
        yield outcome
        continue
      }
      this.#failed += 1
      onFailed(outcome)
    }
  }

  async #sendMark (): Promise<void> {
    const sent = this.#sendAll([completionMark()])
    while ((await sent.next()).done !== true);
  }
}

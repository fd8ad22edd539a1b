/**
 * What one side receives. It looks at the list whenever something has changed, asks for what is new, and takes it.
 *
 * A joiner's receiving ends when the creator's completion mark is there and every file behind and before it has been dealt with;
 * without a mark, when the session is closed. A creator's ends when he is done with everything else.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { isCompletionMark } from '../../client/completion-mark.js'
import { confirmThoseThere } from '../../client/confirm.js'
import type { DirectReceiving } from '../../client/direct-receiving.js'
import type { SessionEvent } from '../../client/events.js'
import type { OfferedFile, Offer } from '../../client/offers.js'
import { safePath } from '../../client/safe-path.js'
import type { Connection, Member } from '../../client/session.js'
import type { FileId } from '../../lib/ids.js'
import { explain } from '../explain.js'
import type { OutputFolder } from '../files/output-folder.js'
import type { Report } from '../report.js'
import type { ReceiveJournal } from '../state/receive-journal.js'
import { cleanText } from '../terminal/clean-text.js'
import { Acceptance, type Accepted, type AcceptanceOptions } from './acceptance.js'
import { FileReceiver, type Received } from './file-receiver.js'
import { OfferList } from '../../client/offer-list.js'

export interface IncomingOptions extends AcceptanceOptions {
  readonly connection: Connection
  readonly member: Member
  readonly report: Report
  readonly folder: OutputFolder
  readonly journal: ReceiveJournal
  /** The ids that this side has written. */
  readonly own: () => ReadonlySet<FileId>
  /** Takes what is being sent past the server, where that is wanted. */
  readonly direct: DirectReceiving | undefined
  readonly signal: AbortSignal
}

/**
 * Milliseconds between two looks at the list: files come by the hundred, and each of them is an event. After a time without a look the first
 * pauses are short, since a single file and the mark behind it are soon there; each is twice as long as the one before.
 */
const LOOK_PAUSE = { first: 25, most: 250, freshAfter: 1000 }
/** Milliseconds in which what is added to the list is gathered before anybody is asked about it. */
const GATHERING = 400

export class Incoming {
  readonly #options: IncomingOptions
  readonly #list: OfferList
  readonly #acceptance: Acceptance
  readonly #receiver: FileReceiver
  readonly #unconfirmed: FileId[] = []
  readonly #marks: FileId[] = []
  readonly #confirmedMarks = new Set<FileId>()
  #holdsMarks = false
  #changed = true
  #wake = (): void => {}
  #finishing = false
  #closed = false
  #declined = false
  /** Whether something is listed that nobody can read: then nobody knows whether the rest is all. */
  #spoilt = false
  #files = 0
  #failed = 0
  #skipped = 0
  #bytes = 0
  #total: number | null = 0

  constructor (options: IncomingOptions) {
    this.#options = options
    this.#list = new OfferList(options.connection, options.member, options.own)
    this.#acceptance = new Acceptance(options.report, options.folder, options)
    const onBytes = (file: OfferedFile, bytes: number): void => { this.#progress(file, bytes) }
    this.#receiver = new FileReceiver({ ...options, onBytes })
  }

  /** Files that were received. */
  get files (): number { return this.#files }
  /** Files that could not be. */
  get failed (): number { return this.#failed }
  /** Files that nobody wanted. */
  get skipped (): number { return this.#skipped }
  /** Whether the whole offer was declined. */
  get declined (): boolean { return this.#declined }
  /** Whether the sender has said that this was all. */
  get isComplete (): boolean { return this.#marks.length > 0 }

  onEvent (event: SessionEvent): void {
    if (event.type === 'session.closed') this.#closed = true
    if (['file.started', 'file.ready', 'reset', 'session.closed'].includes(event.type)) this.#look()
  }

  /** Nothing else is to be waited for: what is listed by now is dealt with, and that is all. */
  finish (): void {
    this.#finishing = true
    this.#look()
  }

  /** Does not tell the sender that all of it is here until {@link releaseMarks}: he may end the session then. */
  holdMarks (): void {
    this.#holdsMarks = true
  }

  async releaseMarks (): Promise<void> {
    this.#holdsMarks = false
    await this.#confirm()
  }

  /** Receives until there is nothing more to come. */
  async run (): Promise<void> {
    let pause = 0
    let looked = Number.NEGATIVE_INFINITY
    for (;;) {
      await this.#change()
      if (!this.#finishing && !this.#closed) await delay(Math.max(0, looked + pause - performance.now()), undefined, { signal: this.#options.signal })
      this.#changed = false
      const last = this.#finishing
      if (this.#closed) return
      const offers = await this.#gather()
      const now = performance.now()
      pause = now - looked > LOOK_PAUSE.freshAfter ? LOOK_PAUSE.first : Math.min(LOOK_PAUSE.most, 2 * pause)
      looked = now
      await this.#receiveFresh(offers)
      if (this.#declined || this.#spoilt || last || (this.isComplete && this.#options.member.role === 'joiner')) return
    }
  }

  /** Closes what is open. @param keep - whether it is to be gone on with */
  async end (keep: boolean): Promise<void> {
    await this.#receiver.end(keep)
    await this.#options.journal.close()
  }

  #look (): void {
    this.#changed = true
    this.#wake()
  }

  async #change (): Promise<void> {
    const { signal } = this.#options
    signal.throwIfAborted()
    if (!this.#changed) {
      await new Promise<void>((resolve, reject) => {
        const abort = (): void => { reject(signal.reason instanceof Error ? signal.reason : new Error('Aborted.')) }
        signal.addEventListener('abort', abort, { once: true })
        this.#wake = () => {
          signal.removeEventListener('abort', abort)
          resolve()
        }
      })
      this.#wake = () => {}
    }
    this.#changed = false
  }

  /** What is new; where somebody is to be asked, what follows at once is part of the same question. */
  async #gather (): Promise<readonly Offer[]> {
    const { signal, yes } = this.#options
    const offers = [...await this.#list.fresh(signal)]
    if (yes || offers.length === 0) return offers
    while (!offers.some(isMark)) {
      await delay(GATHERING, undefined, { signal })
      const more = await this.#list.fresh(signal)
      if (more.length === 0) break
      offers.push(...more)
    }
    return offers
  }

  async #receiveFresh (offers: readonly Offer[]): Promise<void> {
    const { signal, journal, folder, force } = this.#options
    for (const offer of offers) {
      if ('name' in offer) continue
      this.#spoilt = true
      this.#fail(offer.fileId, undefined, offer.error)
    }
    const files = offers.filter((offer) => 'name' in offer)
    const marks = files.filter(isCompletionMark).map(({ fileId }) => fileId)
    this.#unconfirmed.push(...files.flatMap(({ fileId }) => journal.isShown(fileId) ? [fileId] : []))
    const wanted = files.filter((file) => !isCompletionMark(file) && !journal.isShown(file.fileId) && !journal.isSkipped(file.fileId))
    const known: Accepted[] = []
    for (const file of wanted) {
      const entry = journal.find(file.fileId)
      // Who had something replaced said so of what was there, and not of what another folder has.
      if (entry !== undefined) known.push({ file, replace: force || (entry.replace && await folder.isBeside(file.name, entry.path)) })
    }
    const fresh = wanted.filter(({ fileId }) => journal.find(fileId) === undefined)
    const more = marks.length === 0 && !this.isComplete && this.#options.member.kind === 'end-to-end'
    const accepted = [...known, ...await this.#accept(fresh, more, signal)]
    if (this.#declined) return
    await this.#receive(accepted)
    this.#marks.push(...marks)
    await this.#confirm()
  }

  async #accept (fresh: readonly OfferedFile[], more: boolean, signal: AbortSignal): Promise<readonly Accepted[]> {
    if (fresh.length === 0) return []
    const answer = await this.#acceptance.ask(fresh, more, signal)
    if (answer === undefined) {
      this.#declined = true
      return []
    }
    this.#skipped += answer.skipped.length
    if (answer.skipped.length > 0) await this.#options.journal.skipped(answer.skipped.map(({ fileId }) => fileId))
    return answer.accepted
  }

  async #receive (accepted: readonly Accepted[]): Promise<void> {
    for (const { file: { size } } of accepted) this.#total = this.#total === null || size === null ? null : this.#total + size
    for await (const batch of this.#receiver.receive(accepted)) {
      const texts = batch.flatMap((one) => 'text' in one ? [one.file.fileId] : [])
      for (const one of batch) this.#tell(one)
      if (texts.length > 0) await this.#options.journal.shown(texts)
      await this.#confirm()
    }
    this.#options.report.endProgress()
  }

  async #confirm (): Promise<void> {
    const marks = this.#holdsMarks ? [] : this.#marks.filter((id) => !this.#confirmedMarks.has(id))
    const ids = [...this.#unconfirmed.splice(0), ...marks]
    for (const id of marks) this.#confirmedMarks.add(id)
    const { connection, member, signal } = this.#options
    await confirmThoseThere(connection, member, ids, { signal })
  }

  #tell (one: Received): void {
    const { report, folder } = this.#options
    const { file } = one
    if ('error' in one) {
      this.#fail(file.fileId, file, one.error)
      return
    }
    this.#files += 1
    this.#unconfirmed.push(file.fileId)
    const name = safePath(file.name).join('/')
    if ('text' in one) {
      const text = cleanText(one.text)
      if (report.json) report.tell({ event: 'text', file_id: file.fileId, name, text })
      else report.terminal.result(text.endsWith('\n') ? text : `${text}\n`)
      return
    }
    const path = one.path.startsWith(folder.path) ? one.path.slice(folder.path.length + 1) : one.path
    report.tell({ event: 'file.received', file_id: file.fileId, name, path: one.path, size: one.size })
    if (path !== name && file.kind !== 'directory') report.say(`${name} was saved as ${path}.`)
  }

  #fail (fileId: FileId, file: OfferedFile | undefined, error: unknown): void {
    const { code, sentence } = explain(error)
    const name = file === undefined ? fileId : safePath(file.name).join('/')
    // What its sender has taken back is not missed.
    if (code === 'FILE_NOT_FOUND') {
      this.#options.report.tell({ event: 'file.withdrawn', file_id: fileId, name }, `${name} was taken back by its sender.`)
      return
    }
    this.#failed += 1
    this.#options.report.tell({ event: 'file.failed', file_id: fileId, name, code, message: sentence }, `${name} was not received: ${sentence}`)
  }

  #progress (file: OfferedFile, bytes: number): void {
    this.#bytes += bytes
    this.#options.report.progress('Receiving', { name: safePath(file.name).join('/'), done: this.#bytes, total: this.#total })
  }
}

const isMark = (offer: Offer): boolean => 'name' in offer && isCompletionMark(offer)

import { apiOf, type Connection, type Member } from '../../client/session.js'
import { allFiles } from '../../client/list.js'
import type { SessionEvent } from '../../client/events.js'
import type { SendJournal } from '../../client/journal.js'
import { sendFiles, type SentFile } from '../../client/send.js'
import type { Source } from '../../client/source.js'
import type { FileId } from '../../lib/ids.js'
import { explain } from '../explain.js'
import type { Report } from '../report.js'
import { count, formatSize } from '../terminal/format.js'
import { completionMark } from './completion-mark.js'
import { Receipts } from './receipts.js'

export interface OutgoingOptions {
  readonly connection: Connection
  readonly member: Member
  readonly sources: readonly Source[]
  readonly journal: SendJournal
  readonly report: Report
  /** How many are to have received everything before it counts as done. */
  readonly receivers: number
  /** How often each file may be downloaded. */
  readonly maxDownloads?: number | undefined
  readonly signal: AbortSignal
}

/** What one side sends, and what has become of it on the other. */
export class Outgoing {
  readonly #options: OutgoingOptions
  readonly #receipts: Receipts
  readonly #own = new Set<FileId>()
  readonly #sent = new Map<Source, number>()
  #done = 0
  #files = 0
  #failed = 0

  constructor (options: OutgoingOptions) {
    this.#options = options
    this.#receipts = new Receipts(options.receivers)
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

  /** When enough others have everything, or have left. */
  get settled (): Promise<void> {
    return this.#receipts.settled
  }

  onEvent (event: SessionEvent): void {
    this.#receipts.onEvent(event)
  }

  /** Sends everything, and then that it was everything. */
  async send (): Promise<void> {
    const { sources, member, report } = this.#options
    for await (const { source, fileId, size } of this.#sendAll(sources)) {
      this.#files += 1
      report.tell({ event: 'file.sent', file_id: fileId, name: source.name, size })
    }
    // Whoever receives is not told that this was all if it was not.
    if (this.#failed === 0 && member.kind === 'end-to-end') await this.#sendMark()
    report.endProgress()
    this.#receipts.close()
    const size = formatSize([...this.#sent.values()].reduce((sum, bytes) => sum + bytes, 0))
    report.tell({ event: 'sent', files: this.#files, failed: this.#failed }, `Uploaded ${count(this.#files, 'file')}, ${size}.`)
  }

  async * #sendAll (sources: readonly Source[]): AsyncGenerator<SentFile> {
    const { connection, member, journal, report, signal, maxDownloads } = this.#options
    for await (const outcome of sendFiles(connection, member, sources, { journal, maxDownloads, signal, onProgress: ({ source, sent }) => { this.#progress(source, sent) } })) {
      if ('fileId' in outcome) {
        this.#own.add(outcome.fileId)
        this.#receipts.add(outcome.fileId)
        yield outcome
        continue
      }
      this.#failed += 1
      const { code, sentence } = explain(outcome.error)
      report.tell({ event: 'file.failed', name: outcome.source.name, code, message: sentence }, `${outcome.source.name} was not sent: ${sentence}`)
    }
  }

  async #sendMark (): Promise<void> {
    const sent = this.#sendAll([completionMark()])
    while ((await sent.next()).done !== true);
  }

  /** Reads from the list what events may have told while nobody listened. */
  async catchUp (): Promise<void> {
    const { connection, member, signal } = this.#options
    const listed = []
    for await (const file of allFiles(apiOf(connection, member), signal)) listed.push(file)
    this.#receipts.count(listed)
  }

  #progress (source: Source, sent: number): void {
    this.#done += sent - (this.#sent.get(source) ?? 0)
    this.#sent.set(source, sent)
    const { sources, report } = this.#options
    report.progress('Sending', { name: source.name, done: this.#done, total: totalOf(sources), files: [this.#files, sources.length] })
  }
}

/** Bytes of all sources; `null` if one of them does not know. */
export const totalOf = (sources: readonly Source[]): number | null =>
  sources.reduce<number | null>((sum, { size }) => sum === null || size === null ? null : sum + size, 0)

import { isCompletionMark } from '../../client/completion-mark.js'
import { Delivery } from '../../client/delivery.js'
import type { DirectSending } from '../../client/direct-sending.js'
import type { HostState } from '../../client/host-state.js'
import type { SendJournal } from '../../client/journal.js'
import type { FailedSource, SendProgress, SentFile } from '../../client/send.js'
import type { Connection, Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import { explain } from '../explain.js'
import type { Report } from '../report.js'
import { count, formatSize } from '../terminal/format.js'

export interface OutgoingOptions {
  readonly connection: Connection
  readonly member: Member
  readonly sources: readonly Source[]
  readonly journal: SendJournal
  /** Hands out what is being sent past the server. */
  readonly direct: DirectSending | undefined
  readonly report: Report
  /** How many are to have received everything before it counts as done. */
  readonly receivers: number
  /** What the run before left. */
  readonly host: HostState
  /** How often each file may be downloaded. */
  readonly maxDownloads?: number | undefined
  readonly signal: AbortSignal
}

/** What one side sends, and what has become of it on the other, as people and scripts are told. */
export class Outgoing {
  readonly #options: OutgoingOptions
  /** Who has it, and what could not be sent. */
  readonly delivery: Delivery
  readonly #total: number | null
  readonly #sent = new Map<Source, number>()
  #done = 0
  #files = 0

  constructor (options: OutgoingOptions) {
    this.#options = options
    this.#total = totalOf(options.sources)
    this.delivery = new Delivery({
      ...options,
      onSent: (sent) => { this.#tellSent(sent) },
      onFailed: (failed) => { this.#tellFailed(failed) },
      onProgress: (progress) => { this.#progress(progress) }
    })
  }

  /** Sends everything, and then that it was everything. */
  async send (): Promise<void> {
    const { report } = this.#options
    await this.delivery.send()
    report.endProgress()
    const size = formatSize([...this.#sent.values()].reduce((sum, bytes) => sum + bytes, 0))
    report.tell({ event: 'sent', files: this.#files, failed: this.delivery.failed }, `Sent ${count(this.#files, 'file')}, ${size}.`)
  }

  #tellSent ({ source, fileId, size }: SentFile): void {
    this.#files += 1
    this.#options.report.tell({ event: 'file.sent', file_id: fileId, name: source.name, size })
  }

  #tellFailed ({ source, error }: FailedSource): void {
    const { code, sentence } = explain(error)
    const name = isCompletionMark(source) ? 'The note that this was all' : source.name
    this.#options.report.tell({ event: 'file.failed', name: source.name, code, message: sentence }, `${name} was not sent: ${sentence}`)
  }

  #progress ({ source, sent }: SendProgress): void {
    this.#done += sent - (this.#sent.get(source) ?? 0)
    this.#sent.set(source, sent)
    const { sources, report } = this.#options
    report.progress('Sending', { name: source.name, done: this.#done, total: this.#total, files: [this.#files, sources.length] })
  }
}

/** Bytes of all sources; `null` if one of them does not know. */
export const totalOf = (sources: readonly Source[]): number | null =>
  sources.reduce<number | null>((sum, { size }) => sum === null || size === null ? null : sum + size, 0)

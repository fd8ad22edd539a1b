/** What is sent, source by source, and how far it is. */

import { signal } from '@preact/signals'
import type { DeliveryOptions } from '../../client/delivery.js'
import type { Source } from '../../client/source.js'
import type { FileId } from '../../lib/ids.js'
import { Gauge } from './gauge.js'
import { problemOf, type Problem } from './problem.js'

/** What has become of one source. */
export type SentState = 'waiting' | 'sending' | 'sent' | 'received' | 'failed'

/** One source, as a view shows it. */
export class SendRow {
  readonly source: Source
  readonly gauge: Gauge
  readonly state = signal<SentState>('waiting')
  readonly problem = signal<Problem | undefined>(undefined)

  /** @param begun - bytes of it that the server has already */
  constructor (source: Source, begun = 0) {
    this.source = source
    this.gauge = new Gauge(source.size, begun)
  }
}

/** What an earlier tab has achieved. */
export interface Achieved {
  /** Bytes of each source that the server has. */
  readonly begun: ReadonlyMap<Source, number>
  /** What somebody has received. */
  readonly received: ReadonlySet<FileId>
}

/** All of them. */
export class SendRows {
  readonly rows: readonly SendRow[]
  readonly gauge: Gauge
  /** The rows that could not be sent. */
  readonly failed = signal<readonly SendRow[]>([])
  /** Whether the note that this is all could not be sent: whoever receives cannot know that nothing is missing. */
  readonly unmarked = signal(false)
  readonly #bySource: ReadonlyMap<Source, SendRow>
  readonly #byId = new Map<FileId, SendRow>()
  /** Bytes of each that the server has. */
  readonly #sent: Map<SendRow, number>
  /** Also of files whose upload this side has not yet heard to be over. */
  readonly #received: Set<FileId>

  constructor (sources: readonly Source[], { begun, received }: Achieved = { begun: new Map(), received: new Set() }) {
    // A key that holds in another tab as well.
    this.rows = sources.map((source, i) => new SendRow({ key: String(i), ...source }, begun.get(source)))
    this.#bySource = new Map(this.rows.map((row) => [row.source, row]))
    this.#sent = new Map(this.rows.map((row) => [row, row.gauge.done.value]))
    this.#received = new Set(received)
    this.gauge = new Gauge(sumOf(sources.map(({ size }) => size ?? 0)), sumOf(this.#sent.values()))
  }

  get sources (): readonly Source[] {
    return [...this.#bySource.keys()]
  }

  /** Why nothing at all could be sent; `undefined` where something could. */
  get failure (): Problem | undefined {
    const [first] = this.failed.value
    return this.failed.value.length === this.rows.length ? first?.problem.value : undefined
  }

  /** What tells them of a delivery. */
  get callbacks (): Pick<DeliveryOptions, 'onProgress' | 'onSent' | 'onFailed' | 'onReceived'> {
    return {
      onProgress: ({ source, sent }) => { this.#onProgress(this.#bySource.get(source), sent) },
      onSent: ({ source, fileId }) => { this.#onSent(this.#bySource.get(source), fileId) },
      onFailed: ({ source, error }) => { this.#onFailed(this.#bySource.get(source), problemOf(error)) },
      onReceived: (fileId) => { this.#onReceived(fileId) }
    }
  }

  #onProgress (row: SendRow | undefined, bytes: number): void {
    if (row === undefined) return
    const more = bytes - (this.#sent.get(row) ?? 0)
    row.state.value = 'sending'
    row.gauge.add(more)
    this.gauge.add(more)
    this.#sent.set(row, bytes)
  }

  #onSent (row: SendRow | undefined, fileId: FileId): void {
    if (row === undefined) return
    row.gauge.flush()
    row.state.value = this.#received.has(fileId) ? 'received' : 'sent'
    this.#byId.set(fileId, row)
  }

  #onReceived (fileId: FileId): void {
    this.#received.add(fileId)
    const row = this.#byId.get(fileId)
    if (row !== undefined) row.state.value = 'received'
  }

  /** What is no row is the note behind them. */
  #onFailed (row: SendRow | undefined, problem: Problem): void {
    if (row === undefined) {
      this.unmarked.value = true
      return
    }
    row.problem.value = problem
    row.state.value = 'failed'
    this.failed.value = [...this.failed.value, row]
  }
}

const sumOf = (numbers: Iterable<number>): number => Array.from(numbers).reduce((sum, number) => sum + number, 0)

import type { SessionKind } from '../crypto/spake2.js'
import { statusOf, type SessionRecord } from './session.js'

export const KINDS = ['managed', 'end-to-end'] as const satisfies readonly SessionKind[]
export const STATUSES = ['created', 'joined', 'locked'] as const

/** What there is at one moment, in numbers. */
export interface Census {
  readonly sessions: Readonly<Record<SessionKind, Readonly<Record<typeof STATUSES[number], number>>>>
  readonly files: number
  /** Uploads that can be resumed and are not complete. */
  readonly uploads: number
}

/** Counts sessions, those included that have expired and are not swept yet, and what is in them. */
export async function takeCensus (records: AsyncIterable<SessionRecord>): Promise<Census> {
  const sessions = { managed: { created: 0, joined: 0, locked: 0 }, 'end-to-end': { created: 0, joined: 0, locked: 0 } }
  let files = 0
  let uploads = 0
  for await (const record of records) {
    sessions[record.kind][statusOf(record)] += 1
    files += record.files.length
    uploads += record.uploads.length
  }
  return { sessions, files, uploads }
}

/** A census costs as much as there are records: nobody's asking for it takes more than this share of the time. */
const SHARE = 0.1
/** Milliseconds of a census that nobody is kept waiting for. */
const LONG = 1000

/**
 * A census for those who ask again and again. It is taken anew when the last one is old enough for what it took; where that is long, whoever
 * asks meanwhile gets the last one.
 */
export class RecentCensus {
  readonly #records: () => AsyncIterable<SessionRecord>
  readonly #clock: () => number
  #last: { readonly result: Promise<Census>, freshUntil: number } | undefined
  #settled: { readonly census: Census, readonly took: number } | undefined

  /** @param clock - milliseconds since some moment, which never jump */
  constructor (records: () => AsyncIterable<SessionRecord>, clock = () => performance.now()) {
    this.#records = records
    this.#clock = clock
  }

  async take (): Promise<Census> {
    const begunAt = this.#clock()
    if (this.#last === undefined || begunAt > this.#last.freshUntil) {
      const last = { result: takeCensus(this.#records()), freshUntil: Number.POSITIVE_INFINITY }
      this.#last = last
      last.result.then((census) => {
        const now = this.#clock()
        const took = now - begunAt
        this.#settled = { census, took }
        last.freshUntil = now + took * (1 / SHARE - 1)
      }, () => { last.freshUntil = 0 })
    }
    const isUnderWay = this.#last.freshUntil === Number.POSITIVE_INFINITY
    return isUnderWay && this.#settled !== undefined && this.#settled.took > LONG ? this.#settled.census : await this.#last.result
  }
}

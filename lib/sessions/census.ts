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

/** A census for those who ask again and again. It is taken anew when the last one is old enough for what it took. */
export class RecentCensus {
  readonly #records: () => AsyncIterable<SessionRecord>
  #last: { readonly result: Promise<Census>, freshUntil: number } | undefined

  constructor (records: () => AsyncIterable<SessionRecord>) {
    this.#records = records
  }

  async take (): Promise<Census> {
    const begunAt = performance.now()
    if (this.#last === undefined || begunAt > this.#last.freshUntil) {
      const last = { result: takeCensus(this.#records()), freshUntil: Number.POSITIVE_INFINITY }
      this.#last = last
      const settled = (): void => {
        const now = performance.now()
        last.freshUntil = now + (now - begunAt) * (1 / SHARE - 1)
      }
      last.result.then(settled, () => { last.freshUntil = 0 })
    }
    return await this.#last.result
  }
}

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

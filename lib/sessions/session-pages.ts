import type { SessionId } from '../ids.js'
import { statusOf, type SessionRecord } from './session.js'

interface Wanted {
  readonly limit: number
  /** The id behind which the page begins. */
  readonly after?: SessionId | undefined
  readonly status?: ReturnType<typeof statusOf> | undefined
}

/**
 * A page of sessions in the order of their ids: one that begins or ends meanwhile moves no other.
 * @returns `next`: what the next page begins behind; `null` on the last one
 */
export async function pageOfSessions (records: AsyncIterable<SessionRecord>, { limit, after, status }: Wanted): Promise<{ readonly page: readonly SessionRecord[], readonly next: SessionId | null }> {
  const wanted: SessionRecord[] = []
  for await (const record of records) {
    if ((after === undefined || record.id > after) && (status === undefined || statusOf(record) === status)) wanted.push(record)
  }
  wanted.sort((a, b) => a.id < b.id ? -1 : 1)
  const page = wanted.slice(0, limit)
  return { page, next: wanted.length > limit ? page.at(-1)?.id ?? null : null }
}

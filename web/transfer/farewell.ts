/** Telling the other side that this one goes away, while the page is being closed. */

import type { Connection, Fetch } from '../../client/http.js'
import { apiOf, type Member } from '../../client/session.js'

/** Requests that outlive their page. */
const lastingFetch: Fetch = (url, init) => fetch(url, { ...init, keepalive: true })

/** Ends a session, or leaves it, with a request that outlives the page. Nobody is there to see whether it arrives. */
export function closeSoon ({ server }: Connection, member: Member): void {
  const api = apiOf({ server, fetch: lastingFetch }, member)
  void (member.role === 'creator' ? api.close() : api.leave()).catch(() => undefined)
}

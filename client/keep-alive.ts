/** Keeping a session in use: to wait for somebody is no use of it to the server. */

import { pause, type Connection, type Options } from './http.js'
import { apiOf, type Member } from './session.js'

/** Milliseconds between two uses of a session in which nothing happens. */
const SHORTEST_PAUSE = 10_000
const LONGEST_PAUSE = 300_000

/** Uses the session now and then, until the signal fires: then it resolves. Whether the session is gone, those who work in it find out. */
export async function keepAlive (connection: Connection, member: Member, { signal }: Options): Promise<void> {
  const interval = Math.min(LONGEST_PAUSE, Math.max(SHORTEST_PAUSE, (Date.parse(member.expiresAt) - Date.now()) / 3))
  const over = (): boolean => signal?.aborted === true
  while (!over()) {
    await pause(interval, signal).catch(() => undefined)
    if (!over()) await apiOf(connection, member).status({ signal }).catch(() => undefined)
  }
}

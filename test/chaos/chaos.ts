/** A mixed load on several instances, while they and what they stand on are killed, frozen and slowed down. */

import type { Test } from 'tap'
import { call, download, sha256 } from '../helpers/client.js'
import { movedTo } from '../helpers/restart.js'
import { startCluster } from './cluster.js'
import { disturb } from './disturbances.js'
import { MixedLoad } from './mixed-load.js'

export interface Chaos {
  /** Decides the order of what happens. */
  readonly seed: number
  /** How often everything happens. */
  readonly rounds: number
  readonly clients: number
}

export async function survive (t: Test, { seed, rounds, clients }: Chaos): Promise<void> {
  const cluster = await startCluster(t)
  const load = new MixedLoad(cluster.origin)
  const running = load.run(clients)
  try {
    await disturb(t, cluster, { seed, rounds })
  } finally {
    load.stop()
    await running
  }
  t.comment(`seed ${seed}: ${JSON.stringify(load.counts)}`)
  if (load.wrong.length > 0) t.comment(cluster.output().split('\n').filter((line) => line.includes('"level":50') && !line.includes('"LocalSendError"')).join('\n'))
  t.same(load.wrong, [], `seed ${seed}: no acknowledged byte lost, no file wrong, no limit exceeded, nobody let in`)
  // Whether a piece is under way when something happens is chance.
  for (const [what, count] of Object.entries(load.counts)) if (what !== 'breaks') t.ok(count > 0, what)

  for (const { session, token, id, sha256: digest } of load.kept) {
    for (const instance of cluster.instances) {
      const { status, bytes } = await download(`${movedTo(instance, session).url}/download/${id}`, token)
      t.same([status, sha256(bytes)], [200, digest], 'afterwards each instance has the file')
    }
  }
  for (const session of load.closed) {
    for (const instance of cluster.instances) t.equal((await call(`${movedTo(instance, session).url}/status`, { token: session.token })).status, 401, 'what was closed stays closed')
  }
  for (const instance of cluster.instances) instance.signal('SIGTERM')
  t.same(await Promise.all(cluster.instances.map((instance) => instance.ended())), [0, 0, 0], 'and each stops as it should')
  t.notMatch(cluster.output(), /"level":60|unhandled/i)
}

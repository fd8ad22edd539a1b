import t from 'tap'
import { call, createSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { sharedSettings } from '../helpers/instances.js'
import { METRICS_TOKEN, scrape } from '../helpers/metrics.js'
import { freePort } from '../helpers/nginx.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { TestRedis } from '../helpers/redis.js'
import { insist } from '../helpers/restart.js'
import { needs } from '../helpers/services.js'

/** Process ids in lines of the log that say this. */
const pidsOf = ({ output }: ServerProcess, said: string): number[] => output().split('\n').filter((line) => line.includes(said)).map((line) => Number(/"pid":(\d+)/.exec(line)?.[1]))

t.test('metrics of several workers are those of all, whichever is asked', async (t) => {
  if (!await needs(t, 'redis')) return
  const shared = await sharedSettings(t, await TestRedis.start(t), { WORKERS: '2', METRICS_TOKEN, STREAM_MEMORY: '4MiB' })
  const port = await freePort()
  for (const [name, more, path] of [['on PORT', {}, undefined], ['on a port of their own', { METRICS_PORT: String(port) }, `http://127.0.0.1:${port}/metrics`]] as const) {
    const server = await spawnServer(t, { ...shared, ...more })
    const url = path ?? `${server.origin}/metrics`
    await eventually(() => pidsOf(server, 'listening at').length >= 2)
    const before = await scrape(url)
    let created = 0
    // Until both have created some.
    await eventually(async () => {
      // At once: one behind the other might go over the same connection, to the same worker.
      await Promise.all(Array.from({ length: 4 }, () => createSession(server.origin)))
      created += 4
      return new Set(pidsOf(server, '"session.created"')).size >= 2
    })
    for (let i = 0; i < 6; i++) {
      const metrics = await scrape(url)
      t.equal(metrics('sessions_created_total{kind="managed"}'), created, `${name}: what each counted is added up`)
      t.equal(metrics('sessions{kind="managed",status="created"}'), (before('sessions{kind="managed",status="created"}') ?? 0) + created, 'what all see is not')
      t.same([metrics('memory_slots'), metrics('stored_bytes_max'), metrics('sessions_max')], [2 * 8, Number.POSITIVE_INFINITY, 10_000])
      t.ok(Math.abs((metrics('last_sweep_timestamp_seconds') ?? 0) - Date.now() / 1000) < 300, 'nor are times')
    }
    const [first = 0] = pidsOf(server, 'listening at')
    process.kill(first, 'SIGKILL')
    await eventually(() => pidsOf(server, 'listening at').length === 3)
    await eventually(async () => (await insist(() => scrape(url)))('memory_slots') === 2 * 8)
    server.child.kill('SIGTERM')
    t.equal(await server.exit, 0)
  }
})

t.test('a scrape while Redis is away is refused, and ends no worker', async (t) => {
  if (!await needs(t, 'redis')) return
  const redis = await TestRedis.start(t)
  const server = await spawnServer(t, await sharedSettings(t, redis, { WORKERS: '2', METRICS_TOKEN }))
  await eventually(() => pidsOf(server, 'listening at').length >= 2)
  await redis.kill()
  for (let i = 0; i < 4; i++) t.equal((await call(`${server.origin}/metrics`, { token: METRICS_TOKEN, headers: { connection: 'close' } })).status, 503)
  t.notMatch(server.output(), /a worker ended/)
  await redis.start()
  await insist(() => scrape(`${server.origin}/metrics`))
  t.equal(pidsOf(server, 'listening at').length, 2, 'the same ones')
})

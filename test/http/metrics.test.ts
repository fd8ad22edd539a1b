import { readFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import t from 'tap'
import { call, createSession, download, form, joinSession, randomContent, uploadFile, type TestSession } from '../helpers/client.js'
import { createEndToEnd } from '../helpers/end-to-end.js'
import { eventually } from '../helpers/events.js'
import { projectPath } from '../helpers/project.js'
import { startServer } from '../helpers/server.js'

const METRICS_TOKEN = 'metrics-token-that-nobody-guesses'

type Samples = ReadonlyMap<string, number>

/** A scrape, by series: `name{label="value"}`. */
async function scrape (url: string, token?: string): Promise<Samples> {
  const response = await fetch(url, { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } })
  if (!response.ok) throw new Error(`the scrape answered ${response.status}`)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]))
}

const wrongCode = ({ url, code }: TestSession): Promise<unknown> =>
  call(`${url}/join`, { method: 'POST', body: { verification_code: code === '000000' ? '000001' : '000000', password: 'correct horse battery staple' } })

t.test('the last sweep is that which was completed', async (t) => {
  const { app, origin } = await startServer(t, { METRICS_TOKEN, SESSION_TIMEOUT: '1' })
  const lastSweep = async (): Promise<number> => (await scrape(`${origin}/metrics`, METRICS_TOKEN)).get('local_send_last_sweep_timestamp_seconds') ?? 0
  const first = await lastSweep()
  t.ok(Math.abs(Date.now() / 1000 - first) < 60, 'it is a time')
  await eventually(async () => await lastSweep() > first)
  let hanging = 0
  app.sessions.sweep = () => {
    hanging += 1
    return new Promise(() => {})
  }
  await eventually(() => hanging === 1)
  const last = await lastSweep()
  await eventually(() => hanging === 3)
  t.equal(await lastSweep(), last, 'one that hangs does not count')
})

t.test('what happens is counted', async (t) => {
  const { app, origin } = await startServer(t, { METRICS_TOKEN, MAX_STORAGE: '1GB', MAX_SESSIONS: '50', STREAM_MEMORY: '4MiB' })
  const metrics = async (): Promise<Samples> => await scrape(`${origin}/metrics`, METRICS_TOKEN)
  const before = await metrics()
  t.equal(before.get('local_send_store_errors_total{store="files"}'), 0, 'what has not happened is seen as zero')
  t.equal(before.get('local_send_join_refusals_total{reason="password"}'), 0)

  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const content = randomContent(600_000)
  const { file_id: fileId } = await uploadFile(session, session.token, content)
  t.same((await download(`${session.url}/download/${fileId}`, joiner)).bytes, content)
  await call(`${session.url}/upload`, { method: 'POST', token: joiner, body: form({ content: randomContent(10), sha256: '00'.repeat(32) }) })
  const locked = await createEndToEnd(origin)
  for (let i = 0; i < 5; i++) await call(`${locked.url}/join`, { method: 'POST', body: { verification_code: locked.code === '000000' ? '000001' : '000000', public_key: '04'.repeat(65) } })
  const closed = await createSession(origin)
  await wrongCode(closed)
  await call(`${closed.url}/close`, { method: 'POST', token: closed.token })
  await wrongCode(closed)
  await call(`${origin}/made-up/path`)
  await app.sessions.sweep()

  const after = await metrics()
  const value = (series: string): number | undefined => after.get(`local_send_${series}`)
  t.same({
    created: [value('sessions_created_total{kind="managed"}'), value('sessions_created_total{kind="end-to-end"}')],
    there: [value('sessions{kind="managed",status="joined"}'), value('sessions{kind="end-to-end",status="locked"}'), value('sessions{kind="managed",status="created"}')],
    ended: value('sessions_ended_total{kind="managed",reason="closed"}'),
    locked: [value('sessions_locked_total{kind="end-to-end"}'), value('sessions_locked_total{kind="managed"}')],
    attempts: value('join_attempts_total{kind="managed"}'),
    joins: value('joins_total{kind="managed"}'),
    refusals: ['code', 'unknown-session', 'password'].map((reason) => value(`join_refusals_total{reason="${reason}"}`))
  }, { created: [2, 1], there: [1, 1, 0], ended: 1, locked: [1, 0], attempts: 1, joins: 1, refusals: [6, 1, 0] }, 'sessions and joins')
  t.same({
    bytes: [value('transfer_bytes_total{direction="upload"}'), value('transfer_bytes_total{direction="download"}')],
    active: [value('transfers_active{direction="upload"}'), value('transfers_active{direction="download"}')],
    transfers: ['upload",outcome="completed', 'upload",outcome="failed', 'download",outcome="completed'].map((labels) => value(`transfer_duration_seconds_count{direction="${labels}"}`)),
    stored: [value('stored_bytes'), value('stored_bytes_max'), value('files{state="ready"}')],
    memory: [value('memory_slots'), value('memory_slots_used'), value('memory_waiting')],
    sessionsMax: value('sessions_max')
  }, { bytes: [600_010, 600_000], active: [0, 0], transfers: [1, 1, 1], stored: [600_000, 1e9, 1], memory: [8, 0, 0], sessionsMax: 50 }, 'transfers')
  t.same({
    create: value('http_request_duration_seconds_count{method="POST",route="/api/session/create",status="2xx"}'),
    upload: value('http_request_duration_seconds_count{method="POST",route="/api/session/:id/upload",status="4xx"}'),
    madeUp: value('http_request_duration_seconds_count{method="GET",route="none",status="4xx"}'),
    errors: ['CHECKSUM_MISMATCH', 'SESSION_NOT_FOUND', 'NOT_FOUND'].map((code) => value(`http_errors_total{code="${code}"}`))
  }, { create: 3, upload: 1, madeUp: 1, errors: [1, 1, 1] }, 'requests')
  t.ok(Number(value('disk_free_bytes')) > 0)
  t.ok(Number(after.get('nodejs_eventloop_lag_seconds')) >= 0)
  t.equal(value(`build_info{version="${(JSON.parse(await readFile(projectPath('package.json'), 'utf8')) as { version: string }).version}",node="${process.version}"}`), 1)

  const everything = [...after.keys()].join('\n')
  for (const [what, secret] of Object.entries({ session: session.id, code: session.code, token: session.token, joiner, fileId, path: 'made-up' })) t.notOk(everything.includes(secret), `no label names a ${what}`)
})

t.test('a client that hangs up interrupts, and is no failure', async (t) => {
  const { app, origin } = await startServer(t, { METRICS_TOKEN })
  const session = await createSession(origin)
  const { file_id: fileId } = await uploadFile(session, session.token, randomContent(8_000_000))
  const controller = new AbortController()
  const response = await fetch(`${session.url}/download/${fileId}`, { headers: { authorization: `Bearer ${session.token}` }, signal: controller.signal })
  await response.body?.getReader().read()
  controller.abort()
  await eventually(() => app.sessions.transfers.size === 0)
  const metrics = await scrape(`${origin}/metrics`, METRICS_TOKEN)
  t.same(['interrupted', 'failed', 'completed'].map((outcome) => metrics.get(`local_send_transfer_duration_seconds_count{direction="download",outcome="${outcome}"}`)), [1, 0, 0])
})

t.test('who may read them', async (t) => {
  const { origin } = await startServer(t, { METRICS_TOKEN, RATE_LIMIT_OPERATOR: '3' })
  const get = async (token?: string): Promise<string> => (await call(`${origin}/metrics`, { token })).summary
  t.same([await get(), await get('x'), await get(`${METRICS_TOKEN}x`)], ['401 OPERATOR_ONLY', '401 OPERATOR_ONLY', '401 OPERATOR_ONLY'])
  t.equal(await get('another guess'), '429 TOO_MANY_REQUESTS', 'guesses are counted')
  t.equal(await get(METRICS_TOKEN), '200', 'and keep the right one from nothing')

  const none = await startServer(t)
  t.equal((await call(`${none.origin}/metrics`, { token: METRICS_TOKEN })).summary, '404 NOT_FOUND', 'there are none unless asked for')
})

t.test('on a port of their own', async (t) => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await t.rejects(startServer(t, { METRICS_PORT: String(port) }), { code: 'EADDRINUSE' }, 'a port that is taken stops the start')
  probe.close()
  await once(probe, 'close')

  const { app, origin } = await startServer(t, { METRICS_PORT: String(port) })
  const own = `http://127.0.0.1:${port}`
  t.equal((await scrape(`${own}/metrics`)).get('local_send_draining'), 0)
  t.equal((await call(`${own}/api/session/create`, { method: 'POST', body: { kind: 'end-to-end' } })).summary, '404 NOT_FOUND', 'nothing else is there')
  t.equal((await call(`${origin}/metrics`)).summary, '404 NOT_FOUND', 'and they are nowhere else')
  await app.close()
  await t.rejects(fetch(`${own}/metrics`))

  const lines: Array<Record<string, unknown>> = []
  const stream = new Writable({
    write: (line: Buffer, _encoding, done) => {
      lines.push(JSON.parse(line.toString()) as Record<string, unknown>)
      done()
    }
  })
  await startServer(t, { METRICS_PORT: String(port), METRICS_TOKEN, RATE_LIMIT_OPERATOR: '3' }, { logger: { level: 'info', stream } })
  for (let i = 0; i < 3; i++) t.equal((await call(`${own}/metrics`, { token: 'a guess' })).summary, '401 OPERATOR_ONLY')
  t.equal((await call(`${own}/metrics`, { token: 'another' })).summary, '429 TOO_MANY_REQUESTS', 'guesses are limited there, too')
  t.equal((await scrape(`${own}/metrics`, METRICS_TOKEN)).get('local_send_operator_refusals_total{area="metrics"}'), 3, 'and counted')
  const audited = lines.filter(({ audit }) => audit === true)
  t.match(audited, Array.from({ length: 3 }, () => ({ event: 'operator.refused', area: 'metrics', address: '127.0.0.1' })), 'and accounted for')
  t.equal(new Set(audited.map(({ reqId }) => reqId)).size, 3, 'each as a request of its own')
})

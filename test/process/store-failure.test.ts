import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { call, createSession, form, PASSWORD, randomContent } from '../helpers/client.js'
import { METRICS_TOKEN, scrape } from '../helpers/metrics.js'
import { spawnServer } from '../helpers/process.js'
import { newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

t.test('a disk that refuses is counted, by the store that met it; when it works again, so does the server', async (t) => {
  if (!await needs(t, 'prlimit')) return
  const { origin, child } = await spawnServer(t, { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), METRICS_TOKEN })
  /** Has the kernel refuse to let any file of the server grow beyond this (EFBIG). */
  const limit = (bytes: string) => promisify(execFile)('prlimit', [`--pid=${child.pid ?? 0}`, `--fsize=${bytes}:`])
  const failures = async (store: string): Promise<number | undefined> => (await scrape(`${origin}/metrics`))(`store_errors_total{store="${store}"}`)
  const create = () => call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })
  const session = await createSession(origin)
  const upload = () => call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form({ content: randomContent(2_000_000) }) })
  t.same([await failures('files'), await failures('records')], [0, 0])

  await limit('1000000')
  t.equal((await upload()).summary, '500 INTERNAL')
  const lost = await failures('files')
  t.ok(Number(lost) > 0, 'once for each write that was under way')
  t.equal(await failures('records'), 0)

  await limit('0')
  t.equal((await create()).summary, '503 STORE_UNAVAILABLE')
  t.same([await failures('files'), await failures('records')], [lost, 1])
  t.equal((await call(`${origin}/health/live`)).status, 200)

  await limit('unlimited')
  t.equal((await create()).status, 201)
  t.equal((await upload()).status, 201)
})

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { call, createSession, download, joinSession, randomContent, uploadFile } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { adapted, freePort, startProgram } from '../helpers/nginx.js'
import { projectPath } from '../helpers/project.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs, PROMETHEUS } from '../helpers/services.js'
import { alerts, expressions, namesIn, read } from './watched.js'

const METRICS_TOKEN = 'metrics-token-that-nobody-guesses'

type Sample = { readonly metric: Readonly<Record<string, string>>, readonly value: readonly [number, string] }
type Rules = { readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly name: string, readonly health: string, readonly lastError?: string }> }> }

/** Asks Prometheus over its HTTP API. @throws Error unless it has an answer */
async function ask (url: string): Promise<unknown> {
  const answer = await (await fetch(url)).json() as { status: string, error?: string, data: unknown }
  if (answer.status !== 'success') throw new Error(`${url}: ${String(answer.error)}`)
  return answer.data
}

t.test('a real Prometheus, set up as documented, scrapes both forms, loads the rules and can draw every panel', async (t) => {
  if (!await needs(t, 'prometheus')) return
  const folder = await temporaryFolder(t)
  const metricsPort = await freePort()
  await startServer(t, { METRICS_PORT: String(metricsPort) })
  const { app, origin } = await startServer(t, { METRICS_TOKEN, MAX_STORAGE: '1GB' })
  await writeFile(join(folder, 'token'), METRICS_TOKEN)
  const documented = /^```yaml\n# prometheus\.yml\n(.*?)^```$/ms.exec(await read('docs/monitoring.md'))?.[1] ?? ''
  await writeFile(join(folder, 'prometheus.yml'), `global: { scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms }\n${adapted(documented, {
    '[local-send.rules.yaml]': JSON.stringify([projectPath('deploy/prometheus/local-send.rules.yaml')]),
    '# authorization: { credentials_file: /etc/prometheus/local-send.token }': `authorization: { credentials_file: ${join(folder, 'token')} }`,
    "['127.0.0.1:9464']": JSON.stringify([`127.0.0.1:${metricsPort}`, new URL(origin).host])
  })}`)
  const port = await freePort()
  await startProgram(t, PROMETHEUS, [`--config.file=${join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${join(folder, 'data')}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'], port)
  const api = `http://127.0.0.1:${port}/api/v1`
  const query = async (expr: string): Promise<readonly Sample[]> => {
    const { result } = await ask(`${api}/query?query=${encodeURIComponent(expr)}`) as { result: readonly Sample[] }
    return result
  }
  /** Waits until Prometheus knows it. */
  const seen = (expr: string): Promise<void> => eventually(async () => (await query(expr).catch(() => [])).length > 0)

  await seen('sum(up{job="local-send"}) == 2')
  // Twice, with a scrape in between: what had not been there before has no rate.
  for (let round = 1; round <= 2; round++) {
    const session = await createSession(origin)
    const joiner = await joinSession(session)
    const { file_id: fileId } = await uploadFile(session, session.token, randomContent(300_000))
    await download(`${session.url}/download/${fileId}`, joiner)
    await call(`${origin}/made-up/path`)
    await app.sessions.sweep()
    await seen(`sum(local_send_http_errors_total{code="NOT_FOUND"}) == ${round}`)
  }
  await t.rejects(query('rate(local_send_http_errors_total['), 'it would find a fault in an expression')
  t.same(await query('local_send_made_up'), [], 'and a metric that there is not')
  for (const expr of await expressions()) {
    const samples = await query(expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'))
    t.not(samples.length, 0, expr)
  }
  const names = new Set(await ask(`${api}/label/__name__/values`) as string[])
  const loaded = async (): Promise<Rules['groups'][number]['rules']> => (await ask(`${api}/rules`) as Rules).groups.flatMap(({ rules }) => rules)
  await eventually(async () => (await loaded()).every(({ health }) => health !== 'unknown'))
  const shipped = await alerts()
  t.same((await loaded()).map(({ name, health, lastError = '' }) => [name, health, lastError]), shipped.map(({ alert }) => [alert, 'ok', '']))
  for (const { alert, expr } of shipped) t.same([...namesIn(expr)].filter((name) => !names.has(name)), [], `${alert}: what it looks at is there`)
})

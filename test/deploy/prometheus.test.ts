import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { projectPath } from '../helpers/project.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs, PROMTOOL } from '../helpers/services.js'
import { alerts, expressions, namesIn, panels, read } from './watched.js'

const run = promisify(execFile)
const METRICS_TOKEN = 'metrics-token-that-nobody-guesses'
/** A scrape, with the metrics and the series that are in it. */
async function scraped (t: Parameters<typeof startServer>[0]): Promise<{ readonly text: string, readonly metrics: Set<string>, readonly series: Set<string> }> {
  const { origin } = await startServer(t, { METRICS_TOKEN })
  const scrape = async (): Promise<string> => await (await fetch(`${origin}/metrics`, { headers: { authorization: `Bearer ${METRICS_TOKEN}` } })).text()
  // A request has to be over to be counted.
  await fetch(`${origin}/no/such/path`)
  const text = await scrape()
  const metrics = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name))
  return { text, metrics, series: new Set([...text.matchAll(/^([a-z0-9_]+)[{ ]/gm)].map(([, name = '']) => name)) }
}

t.test('what alerts, dashboard and documentation speak of is there, and documented', async (t) => {
  const { metrics, series } = await scraped(t)
  const page = await read('docs/monitoring.md')
  for (const { alert, expr, annotations } of await alerts()) {
    for (const name of namesIn(expr)) t.ok(series.has(name), `${alert}: ${name}`)
    t.match(page, new RegExp(`^### ${alert}$`, 'm'), `docs/monitoring.md says what to do about ${alert}`)
    t.equal(annotations['runbook'], `docs/monitoring.md#${alert.toLowerCase()}`)
  }
  for (const expr of await expressions()) for (const name of namesIn(expr)) t.ok(series.has(name), `the dashboard: ${name}`)
  const ids = (await panels()).map(({ id }) => id)
  t.equal(new Set(ids).size, ids.length, 'panels have ids of their own')

  const own = [...metrics].filter((name) => name.startsWith('local_send_')).sort()
  const documented = [...page.matchAll(/^\| `(local_send_[a-z_]+)/gm)].map(([, name = '']) => name).sort()
  t.same(documented, own, 'docs/monitoring.md has every metric, and no other')
  const shown = namesIn([...await expressions(), ...(await alerts()).map(({ expr }) => expr)].join(' '))
  t.same(own.filter((name) => ![...shown].some((used) => used === name || used.startsWith(`${name}_`))), [], 'every metric is on the dashboard or in an alert')
})

t.test('promtool finds no fault in rules, dashboard and scrape', async (t) => {
  if (!await needs(t, 'promtool')) return
  const folder = await temporaryFolder(t)
  await t.resolves(run(PROMTOOL, ['check', 'rules', projectPath('deploy/prometheus/local-send.rules.yaml')]))
  await t.resolves(run(PROMTOOL, ['test', 'rules', projectPath('deploy/prometheus/local-send.rules.test.yaml')]))
  const tested = new Set([...(await read('deploy/prometheus/local-send.rules.test.yaml')).matchAll(/alertname: (\w+)\n.*\n +exp_alerts:/g)].map(([, name]) => name))
  t.same((await alerts()).map(({ alert }) => alert).filter((alert) => !tested.has(alert)), [], 'of every alert it is tested that it goes off')

  // As recording rules, since promtool parses no bare expression.
  const rules = (await expressions()).map((expr, i) => ({ record: `panel:${i}`, expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*') }))
  const path = join(folder, 'dashboard.yaml')
  await writeFile(path, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }))
  await t.resolves(run(PROMTOOL, ['check', 'rules', path]))
  await writeFile(path, JSON.stringify({ groups: [{ name: 'dashboard', rules: [{ record: 'panel:0', expr: 'rate(local_send_http_errors_total[' }] }] }))
  await t.rejects(run(PROMTOOL, ['check', 'rules', path]), 'it would find one')

  const check = spawn(PROMTOOL, ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [check.stdout, check.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text })
  const exited = once(check, 'exit')
  check.stdin.end((await scraped(t)).text)
  await exited
  t.same(said.split('\n').filter((line) => line.startsWith('local_send_')), [], 'names and help are as Prometheus wants them')
})

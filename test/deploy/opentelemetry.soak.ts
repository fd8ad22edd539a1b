import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { cp } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { call, createSession } from '../helpers/client.js'
import { spawnServer } from '../helpers/process.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

const TRACE = '0af7651916cd43dd8448eb211c80319c'

interface Span { readonly name: string, readonly traceId: string }
interface Batch {
  readonly resourceSpans: ReadonlyArray<{ readonly resource: { readonly attributes: ReadonlyArray<{ readonly key: string, readonly value: object }> }, readonly scopeSpans: ReadonlyArray<{ readonly spans: readonly Span[] }> }>
}

t.test('each request is a span named by its route, sent before the process ends, without a secret', async (t) => {
  if (!await needs(t, 'registry')) return
  const folder = await temporaryFolder(t)
  for (const name of ['package.json', 'register.js']) await cp(projectPath('deploy/opentelemetry', name), join(folder, name))
  await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund'], { cwd: folder })

  const received: string[] = []
  const collector = createServer((request, response) => {
    void text(request).then((body) => {
      received.push(body)
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => collector.close())
  await once(collector, 'listening')

  const server = await spawnServer(t, {
    UPLOAD_FOLDER: join(folder, 'uploads'),
    NODE_OPTIONS: `--import=${pathToFileURL(join(folder, 'register.js')).href}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`
  })
  const session = await createSession(server.origin)
  await call(`${session.url}/status`, { token: session.token, headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-01` } })
  server.child.kill('SIGTERM')
  t.equal(await server.exit, 0)

  const resources = received.flatMap((body) => (JSON.parse(body) as Batch).resourceSpans)
  const spans = resources.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans))
  t.same(spans.map(({ name }) => name).sort(), ['GET /api/session/:id/status', 'POST /api/session/create'])
  t.equal(spans.find(({ name }) => name.startsWith('GET'))?.traceId, TRACE, 'it continues the trace of its caller')
  t.match(resources[0]?.resource.attributes.find(({ key }) => key === 'service.name'), { value: { stringValue: 'local-send' } })
  const everything = received.join('')
  for (const secret of [session.token, session.code, 'correct horse']) t.notOk(everything.includes(secret))
})

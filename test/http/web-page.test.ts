/** How the server serves the page: who may run what in it, what is kept for how long, and what is there without it. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { packageFolder } from '../../lib/version.js'
import { startServer, temporaryFolder } from '../helpers/server.js'

const BUILT = join(packageFolder, 'dist', 'web')
/** Bytes of the first load, compressed as a proxy in front would. */
const BUDGET = 150_000

t.test('the page and its policy', async (t) => {
  const { origin } = await startServer(t)
  const response = await fetch(origin)
  t.equal(response.status, 200)
  t.match(response.headers.get('content-type'), /^text\/html/)
  t.equal(response.headers.get('cache-control'), 'no-cache')
  t.equal(response.headers.get('referrer-policy'), 'no-referrer')
  t.equal(response.headers.get('x-content-type-options'), 'nosniff')
  const policy = response.headers.get('content-security-policy') ?? ''
  for (const directive of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"]) {
    t.ok(policy.split('; ').includes(directive), directive)
  }
  t.notMatch(policy, /unsafe|https?:|\*|data:/)

  const page = await response.text()
  const assets = [...page.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, path = '']) => path)
  t.equal(assets.length, 2, 'a script and a style')
  for (const path of assets) {
    const asset = await fetch(`${origin}/${path}`)
    t.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable', path)
    await asset.body?.cancel()
  }
  const manifest = await fetch(`${origin}/manifest.webmanifest`)
  t.match(await manifest.json(), { name: 'Local Send', display: 'standalone', icons: [{}, {}, {}] })
  t.match((await (await fetch(`${origin}/nothing.html`)).json()), { code: 'NOT_FOUND' }, 'what is not there is the API\'s to answer')
  t.match((await (await fetch(`${origin}/assets/..%2f..%2fpackage.json`)).json()), { statusCode: 404 })
})

t.test('the first load is small, and holds nothing that belongs to the server', async (t) => {
  const files = await Promise.all(['index.html', ...(await readdir(join(BUILT, 'assets'))).filter((name) => !name.endsWith('.map')).map((name) => `assets/${name}`)].map((name) => readFile(join(BUILT, name))))
  const size = files.reduce((sum, content) => sum + gzipSync(content).length, 0)
  t.ok(size < BUDGET, `${size} bytes`)
  const [map] = (await readdir(join(BUILT, 'assets'))).filter((name) => name.endsWith('.js.map'))
  const { sources } = JSON.parse(await readFile(join(BUILT, 'assets', map ?? ''), 'utf8')) as { sources: string[] }
  t.same(sources.filter((source) => /zxcvbn|fastify|wordlists\/(?!english)|crypto-browserify|node_modules\/buffer/.test(source)), [])
})

t.test('a server without the page does everything else, and says so', async (t) => {
  const lines: string[] = []
  const stream = { write (line: string) { lines.push(line) } }
  const { origin } = await startServer(t, {}, { webFolder: await temporaryFolder(t), logger: { level: 'warn', stream } })
  t.match(lines.join(''), /The web page has not been built/)
  t.equal((await fetch(origin)).status, 404)
  t.equal((await fetch(`${origin}/health`)).status, 200)
})

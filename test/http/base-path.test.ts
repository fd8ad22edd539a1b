import t from 'tap'
import { call, form, PASSWORD, randomContent } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'
import { TUS } from '../helpers/tus.js'

const PUBLIC_URL = 'https://example.org/send'
const create = (url: string) => call(`${url}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })

t.test('under a path, whether the proxy takes it away or not', async (t) => {
  const { origin } = await startServer(t, { PUBLIC_URL })
  for (const url of [`${origin}/send`, origin]) {
    const { status, body, headers } = await create(url)
    t.equal(status, 201)
    const session = `/api/session/${String(body['session_id'])}`
    const token = String(body['token'])
    t.match(headers.getSetCookie()[0], `Path=/send${session};`)
    const begun = await call(`${url}${session}/uploads`, { method: 'POST', token, headers: { ...TUS, 'upload-length': '10' } })
    t.match(begun.headers.get('location'), new RegExp(`^/send${session}/uploads/[0-9a-f]{32}$`))
    const location = `${origin}${String(begun.headers.get('location'))}`
    t.equal((await call(location, { method: 'POST', token, headers: { ...TUS, 'x-http-method-override': 'DELETE' } })).status, 204, 'a method that is named in a header')
  }
  const page = await fetch(`${origin}/send`, { redirect: 'manual' })
  t.same([page.status, page.headers.get('location')], [308, '/send/'], 'the links of the page are relative')
  t.match((await call(`${origin}/send/`)).body['text'], /<title>/)
  t.equal((await call(`${origin}/sender/health`)).summary, '404 NOT_FOUND')
  t.equal((await call(`${origin}/send/send/health`)).summary, '404 NOT_FOUND')
  t.equal((await call(`${origin}/send/health?a=b`)).status, 200)
})

t.test('Swagger UI and the OpenAPI document under a path', async (t) => {
  const { origin } = await startServer(t, { PUBLIC_URL })
  const { body } = await call(`${origin}/send/openapi.json`)
  t.same(body['servers'], [{ url: '/send', description: 'This server' }, { url: PUBLIC_URL, description: 'Where people reach it' }])
  for (const path of ['/send/docs', '/send/docs/']) {
    const page = await call(origin + path)
    const links = [...String(page.body['text']).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link)
    t.ok(links.length > 3)
    for (const link of links) {
      const url = new URL(link, origin + path)
      t.ok(url.pathname.startsWith('/send/docs/static/'), `${path} ${link}`)
      t.equal((await call(url.href)).status, 200, link)
    }
  }
  const moved = await fetch(`${origin}/send/docs/static/index.html`)
  t.same([moved.redirected, moved.status, moved.url], [true, 200, `${origin}/send/docs/`])
  t.match((await call(`${origin}/send/docs/json`)).body, { openapi: '3.1.0' }, 'which the page asks for beside itself')
})

t.test('only pages of PUBLIC_URL change something by cookie, whatever the headers say', async (t) => {
  const { origin } = await startServer(t, { PUBLIC_URL, TRUST_PROXY: '127.0.0.1' })
  const { body, headers } = await create(origin)
  t.match(headers.getSetCookie()[0], /; Secure(;|$)/, 'the way from the proxy may be without TLS')
  const upload = (page: string, forged: Record<string, string> = {}) => call(`${origin}/api/session/${String(body['session_id'])}/upload`, {
    method: 'POST', headers: { cookie: `local_send_creator=${String(body['token'])}`, origin: page, ...forged }, body: form({ content: randomContent(10) })
  })
  t.equal((await upload('https://example.org')).status, 201)
  t.equal((await upload(origin)).summary, '403 CROSS_ORIGIN')
  t.equal((await upload('https://evil.example', { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' })).summary, '403 CROSS_ORIGIN')
})

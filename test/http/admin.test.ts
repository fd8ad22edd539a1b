import t from 'tap'
import { call, createSession, form, joinSession, randomContent, uploadFile } from '../helpers/client.js'
import { createEndToEnd } from '../helpers/end-to-end.js'
import { eventually } from '../helpers/events.js'
import { startServer } from '../helpers/server.js'

const ADMIN_TOKEN = 'admin-token-that-nobody-guesses'

const api = (origin: string) => async (method: string, path: string) => await call(`${origin}/api/admin${path}`, { method, token: ADMIN_TOKEN })

t.test('without ADMIN_TOKEN there is no such path, and none in the document', async (t) => {
  const { origin } = await startServer(t)
  t.equal((await call(`${origin}/api/admin/totals`, { token: ADMIN_TOKEN })).summary, '404 NOT_FOUND')
  const document = JSON.stringify((await call(`${origin}/openapi.json`)).body)
  t.notOk(document.includes('admin'))
})

t.test('the list shows what there is and nothing secret; closing ends a session with its transfers and files', async (t) => {
  const { app, origin } = await startServer(t, { ADMIN_TOKEN })
  const admin = api(origin)
  const managed = await createSession(origin, { max_joiners: 2 })
  const joiner = await joinSession(managed)
  await uploadFile(managed, joiner, randomContent(1000), 'a name to keep.txt')
  await createEndToEnd(origin)
  const locked = await createEndToEnd(origin)
  const wrong = locked.code === '000000' ? '000001' : '000000'
  for (let i = 0; i < 5; i++) await call(`${locked.url}/join`, { method: 'POST', body: { verification_code: wrong, public_key: '04'.repeat(65) } })

  const { body } = await admin('GET', '/sessions')
  const listed = body['sessions'] as Array<Record<string, unknown>>
  t.equal(body['next_cursor'], null)
  t.same(listed.map(({ session_id: id }) => id), listed.map(({ session_id: id }) => String(id)).sort(), 'in the order of their ids')
  t.match(listed.find(({ session_id: id }) => id === managed.id), {
    kind: 'managed', status: 'joined', joiners: 1, max_joiners: 2, attempts_under_way: 0, wrong_codes: 0, wrong_passwords: 0, max_join_attempts: 5, files: 1, uploads: 0, bytes: 1000, transfers: 0
  })
  t.match((await admin('GET', '/sessions?status=locked')).body, { sessions: [{ session_id: locked.id, status: 'locked', wrong_codes: 5 }] })
  const everything = JSON.stringify(body)
  for (const secret of [managed.token, managed.code, joiner, 'a name to keep', locked.token]) t.notOk(everything.includes(secret))

  const pages: string[] = []
  for (let cursor: string | null = ''; cursor !== null;) {
    const page = (await admin('GET', `/sessions?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`)).body as unknown as { sessions: Array<{ session_id: string }>, next_cursor: string | null }
    pages.push(...page.sessions.map(({ session_id: id }) => id))
    cursor = page.next_cursor
  }
  t.same(pages, listed.map(({ session_id: id }) => id), 'page by page')

  t.match((await admin('GET', '/totals')).body, {
    draining: false, sessions: { managed: { joined: 1 }, 'end-to-end': { created: 1, locked: 1 } }, files: 1, stored_bytes: 1000, max_stored_bytes: null, transferred_bytes: { upload: 1000, download: 0 }
  })

  const uploading = fetch(`${managed.url}/upload`, { method: 'POST', headers: { authorization: `Bearer ${managed.token}`, 'content-type': 'multipart/form-data; boundary=x' }, body: neverEnding(), duplex: 'half' })
  await eventually(() => app.sessions.transfers.size > 0)
  t.match((await admin('GET', '/sessions?limit=1000')).body['sessions'], [...listed].map(({ session_id: id }) => ({ session_id: id, transfers: id === managed.id ? 1 : 0 })))
  t.equal((await admin('DELETE', `/sessions/${managed.id}`)).status, 204)
  t.match(await (await uploading).json(), { code: 'SESSION_CLOSED' })
  t.equal((await call(`${managed.url}/status`, { token: managed.token })).summary, '401 UNAUTHORIZED')
  t.equal((await admin('DELETE', `/sessions/${managed.id}`)).summary, '404 SESSION_NOT_FOUND')
  t.match((await admin('GET', '/totals')).body, { files: 0, stored_bytes: 0, transfers: { upload: 0 } })
})

t.test('a drained server takes no new sessions and goes on with those there are', async (t) => {
  const { origin } = await startServer(t, { ADMIN_TOKEN, SESSION_STORE: 'memory' })
  const admin = api(origin)
  const session = await createSession(origin)
  t.match((await admin('POST', '/drain')).body, { draining: true, sessions: 1, transfers: 0 })
  t.match((await admin('POST', '/drain')).body, { draining: true }, 'twice is once')
  const ready = await call(`${origin}/health/ready`)
  t.equal(ready.summary, '503 SERVER_DRAINING')
  t.equal((await call(`${origin}/health/live`)).status, 200)
  const refused = await call(`${origin}/api/session/create`, { method: 'POST', body: { kind: 'end-to-end' } })
  t.equal(refused.summary, '503 SERVER_DRAINING')
  t.equal(refused.headers.get('retry-after'), '60')
  t.equal((await call(`${origin}/api/session/create`, { method: 'POST', body: { password: 'correct horse battery staple' } })).summary, '503 SERVER_DRAINING')
  const joiner = await joinSession(session)
  t.equal((await call(`${session.url}/upload`, { method: 'POST', token: joiner, body: form({ content: randomContent(10) }) })).status, 201)

  t.match((await admin('DELETE', '/drain')).body, { draining: false })
  t.equal((await call(`${origin}/health/ready`)).status, 200)
  await createEndToEnd(origin)
})

t.test('guesses at the token are few, on all paths together, and keep the operator from nothing', async (t) => {
  const { origin } = await startServer(t, { ADMIN_TOKEN, RATE_LIMIT_OPERATOR: '2' })
  t.equal((await call(`${origin}/api/admin/totals`, { token: `${ADMIN_TOKEN}x` })).summary, '401 OPERATOR_ONLY')
  t.equal((await call(`${origin}/api/admin/sessions`, { headers: { authorization: `Basic ${ADMIN_TOKEN}` } })).summary, '401 OPERATOR_ONLY')
  t.equal((await call(`${origin}/api/admin/drain`, { method: 'POST', token: 'x' })).summary, '429 TOO_MANY_REQUESTS')
  t.equal((await call(`${origin}/api/admin/totals`, { token: ADMIN_TOKEN })).status, 200)
})

function neverEnding (): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start (controller) {
      controller.enqueue(new TextEncoder().encode('--x\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n'))
      controller.enqueue(randomContent(300_000))
    }
  })
}

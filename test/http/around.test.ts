import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { call, createSession, joinSession, PASSWORD, randomContent, uploadFile, type Answer } from '../helpers/client.js'
import { exchange, postHead } from '../helpers/raw.js'
import { startServer } from '../helpers/server.js'

t.test('a cookie opens its session; a change by cookie alone needs our own Origin', async (t) => {
  const { origin } = await startServer(t)
  const created = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })
  const session = { id: String(created.body['session_id']), code: String(created.body['verification_code']), token: String(created.body['token']), url: `${origin}/api/session/${String(created.body['session_id'])}` }
  t.equal(created.headers.get('set-cookie'), `local_send_creator=${session.token}; Path=/api/session/${session.id}; HttpOnly; SameSite=Strict`)
  const joiner = await joinSession(session)
  const creatorCookie = `local_send_creator=${session.token}`
  const joinerCookie = `local_send_joiner=${joiner}`

  const roleOf = async (headers: Record<string, string>): Promise<unknown> => {
    const { summary, body } = await call(`${session.url}/status`, { headers })
    return body['role'] ?? summary
  }
  t.equal(await roleOf({ cookie: joinerCookie }), 'joiner')
  t.equal(await roleOf({ cookie: `${joinerCookie}; ${creatorCookie}` }), 'creator', 'the creator\'s cookie wins')
  t.equal(await roleOf({ cookie: creatorCookie, authorization: `Bearer ${joiner}` }), 'joiner', 'a bearer token wins')
  t.equal(await roleOf({ cookie: creatorCookie, authorization: 'Bearer nonsense' }), '401 UNAUTHORIZED', 'even a wrong one')
  t.equal(await roleOf({ cookie: `local_send_creator=${joiner.replace(/./g, 'A')}` }), '401 UNAUTHORIZED', 'a forged cookie')
  t.equal(await roleOf({ cookie: `local_send_creator=; local_send_joiner=${joiner}` }), 'joiner')
  const other = await createSession(origin)
  t.equal((await call(`${other.url}/status`, { headers: { cookie: creatorCookie } })).summary, '401 UNAUTHORIZED', 'another session\'s')

  const unlock = async (headers: Record<string, string>): Promise<string> => (await call(`${session.url}/unlock`, { method: 'POST', headers })).summary
  t.equal(await unlock({ cookie: creatorCookie }), '403 CROSS_ORIGIN')
  t.equal(await unlock({ cookie: creatorCookie, origin: 'https://elsewhere.example' }), '403 CROSS_ORIGIN')
  t.equal(await unlock({ cookie: creatorCookie, origin: 'null' }), '403 CROSS_ORIGIN')
  t.equal(await unlock({ cookie: creatorCookie, origin }), '200')
  t.equal(await unlock({ authorization: `Bearer ${session.token}`, origin: 'https://elsewhere.example' }), '200', 'a token is enough')
})

t.test('behind a trusted proxy cookies are Secure and the client has its own address; a stranger cannot claim that', async (t) => {
  const trusting = await startServer(t, { TRUST_PROXY: '127.0.0.1', RATE_LIMIT_CREATE: '2' })
  const forwarded = (address: string): Record<string, string> => ({ 'x-forwarded-for': address, 'x-forwarded-proto': 'https', 'x-forwarded-host': 'send.example' })
  const create = (origin: string, headers: Record<string, string>): Promise<Answer> => call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD }, headers })
  const first = await create(trusting.origin, forwarded('203.0.113.7'))
  t.match(first.headers.get('set-cookie'), /; Secure;/)
  const cookie = `local_send_creator=${String(first.body['token'])}`
  const url = `${trusting.origin}/api/session/${String(first.body['session_id'])}/unlock`
  t.equal((await call(url, { method: 'POST', headers: { ...forwarded('203.0.113.7'), cookie, origin: 'https://send.example' } })).status, 200)

  t.equal((await create(trusting.origin, forwarded('203.0.113.7'))).status, 201)
  t.equal((await create(trusting.origin, forwarded('203.0.113.7'))).summary, '429 TOO_MANY_REQUESTS')
  t.equal((await create(trusting.origin, forwarded('203.0.113.8'))).status, 201, 'another client of the proxy')
  t.equal((await create(trusting.origin, forwarded('1.2.3.4, 203.0.113.7'))).summary, '429 TOO_MANY_REQUESTS', 'what the client put before its address does not count')

  const direct = await startServer(t, { RATE_LIMIT_CREATE: '2' })
  for (const address of ['203.0.113.1', '203.0.113.2']) t.notMatch((await create(direct.origin, forwarded(address))).headers.get('set-cookie'), 'Secure')
  t.equal((await create(direct.origin, forwarded('203.0.113.3'))).summary, '429 TOO_MANY_REQUESTS')
})

t.test('rate limits: by address without a valid token, by token with one', async (t) => {
  const { origin } = await startServer(t, { RATE_LIMIT_CREATE: '1', RATE_LIMIT_JOIN: '2', RATE_LIMIT_ANONYMOUS: '3', RATE_LIMIT_TOKEN: '5' })
  const session = await createSession(origin)
  const refused = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })
  t.equal(refused.summary, '429 TOO_MANY_REQUESTS')
  t.match(refused.headers.get('retry-after'), /^([1-9]|[1-5]\d|60)$/)

  for (const expected of [200, 200, 200, 200, 200, 429]) t.equal((await call(`${session.url}/status`, { token: session.token })).status, expected, 'with the token')
  const forged = (i: number): string => `${i}`.repeat(43)
  for (const [i, expected] of [401, 401, 401, 429].entries()) t.equal((await call(`${session.url}/status`, { token: forged(i) })).status, expected, 'with a made-up token each time')
  for (const expected of [409, 409, 429]) {
    const { status } = await call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, password: PASSWORD } })
    t.equal(status === 200 ? 409 : status, expected, 'join')
  }
  for (let i = 0; i < 10; i++) t.equal((await call(`${origin}/health`)).status, 200, 'health checks are not limited')
})

t.test('sessions have places: MAX_SESSIONS', async (t) => {
  const { origin } = await startServer(t, { MAX_SESSIONS: '1' })
  const session = await createSession(origin)
  const refused = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })
  t.equal(refused.summary, '503 SERVER_FULL')
  t.equal(refused.headers.get('retry-after'), '60')
  await call(`${session.url}/close`, { method: 'POST', token: session.token })
  t.ok(await createSession(origin))
})

t.test('the idle timeout counts from the last use, transferred bytes included; the age is absolute', async (t) => {
  let now = Date.parse('2030-01-01T00:00:00Z')
  const server = await startServer(t, { SESSION_TIMEOUT: '60', MAX_SESSION_AGE: '600' }, { clock: () => now })
  const session = await createSession(server.origin)
  const file = await uploadFile(session, session.token, randomContent(30 * 2 ** 20))
  const expiry = async (): Promise<unknown> => (await call(`${session.url}/status`, { token: session.token })).body['expires_at']
  now += 50_000
  await expiry()
  t.equal(await expiry(), '2030-01-01T00:01:50.000Z')

  const request = get(`${session.url}/download/${file.file_id}`, { headers: { authorization: `Bearer ${session.token}` } })
  const [response] = await once(request, 'response') as [IncomingMessage]
  for (let i = 0; i < 5; i++) {
    now += 50_000
    await server.app.sessions.sweep()
  }
  let length = 0
  for await (const piece of response) length += (piece as Uint8Array).length
  t.equal(length, file.size, 'no transfer is cut by the timeout')
  t.equal((await call(`${session.url}/status`, { token: session.token })).status, 200)

  now += 290_000
  t.equal((await call(`${session.url}/status`, { token: session.token })).status, 401, 'unused for too long')
  t.equal(await server.app.sessions.sweep(), 1)
})

t.test('expires_in shortens, and never lengthens', async (t) => {
  const now = Date.parse('2030-01-01T00:00:00Z')
  const { origin } = await startServer(t, { SESSION_TIMEOUT: '60', MAX_SESSION_AGE: '600' }, { clock: () => now })
  for (const [seconds, expected] of [[10, '2030-01-01T00:00:10.000Z'], [100_000, '2030-01-01T00:01:00.000Z']] as const) {
    const { body } = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD, expires_in: seconds } })
    t.equal(body['expires_at'], expected)
  }
})

t.test('bad requests', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const create = `${origin}/api/session/create`
  const json = { 'content-type': 'application/json' }
  const cases: Record<string, [string, () => Promise<{ summary: string }>]> = {
    'unknown path': ['404 NOT_FOUND', () => call(`${origin}/api/nothing`)],
    'unknown method': ['404 NOT_FOUND', () => call(create, { method: 'PUT', body: {} })],
    'no body': ['400 INVALID_REQUEST', () => call(create, { method: 'POST' })],
    'broken JSON': ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: '{"password":', headers: json })],
    'a list': ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: [] })],
    'a number as password': ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: { password: 1234567890 } })],
    'a short password': ['400 PASSWORD_INVALID', () => call(create, { method: 'POST', body: { password: 'seven 7' } })],
    'a lone surrogate': ['400 PASSWORD_INVALID', () => call(create, { method: 'POST', body: '{"password":"pass\\ud800word"}', headers: json })],
    'a password where none belongs': ['400 PASSWORD_NOT_WANTED', () => call(create, { method: 'POST', body: { password: PASSWORD, kind: 'end-to-end' } })],
    'an unknown field': ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: { password: PASSWORD, maxJoiners: 2 } })],
    __proto__: ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: `{"password":"${PASSWORD}","__proto__":{}}`, headers: json })],
    'more joiners than the server allows': ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: { password: PASSWORD, max_joiners: 21 } })],
    'half a joiner': ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: { password: PASSWORD, max_joiners: 0.5 } })],
    'text instead of JSON': ['415 UNSUPPORTED_MEDIA_TYPE', () => call(create, { method: 'POST', body: '{}', headers: { 'content-type': 'text/plain' } })],
    'junk Content-Type': ['415 UNSUPPORTED_MEDIA_TYPE', () => call(create, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json\tjunk' } })],
    'a form to a JSON call': ['400 INVALID_REQUEST', () => call(create, { method: 'POST', body: new FormData() })],
    'a session id in capitals': ['400 INVALID_REQUEST', () => call(`${origin}/api/session/ABCDEF01/join`, { method: 'POST', body: { verification_code: '123456', password: PASSWORD } })],
    'a session id that climbs': ['400 INVALID_REQUEST', () => call(`${origin}/api/session/..%2f..%2fetc/join`, { method: 'POST', body: { verification_code: '123456', password: PASSWORD } })],
    'an unknown session': ['404 SESSION_NOT_FOUND', () => call(`${origin}/api/session/00000000/join`, { method: 'POST', body: { verification_code: '123456', password: PASSWORD } })],
    'an unknown file': ['404 FILE_NOT_FOUND', () => call(`${session.url}/download/${'0'.repeat(32)}`, { token: session.token })],
    'a short file id': ['400 INVALID_REQUEST', () => call(`${session.url}/download/abc`, { token: session.token })]
  }
  for (const [name, [expected, send]] of Object.entries(cases)) t.equal((await send()).summary, expected, name)
})

t.test('a body over the limit, on every call that takes JSON', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const big = JSON.stringify({ password: 'x'.repeat(20_000) })
  const targets: Array<[string, string]> = [['/create', '413 BODY_TOO_LARGE'], [`/${session.id}/join`, '413 BODY_TOO_LARGE'], [`/${session.id}/unlock`, '413 BODY_TOO_LARGE'], [`/${session.id}/leave`, '413 BODY_TOO_LARGE'], [`/${session.id}/close`, '413 BODY_TOO_LARGE']]
  for (const [path, expected] of targets) {
    const answer = await call(`${origin}/api/session${path}`, { method: 'POST', token: session.token, body: big, headers: { 'content-type': 'application/json' } })
    t.equal(answer.summary, expected, path)
  }
})

t.test('an error has one form, and its request an id', async (t) => {
  const { origin } = await startServer(t)
  const { body, headers } = await call(`${origin}/nothing`)
  t.same(Object.keys(body), ['statusCode', 'code', 'error', 'message'])
  t.match(headers.get('x-request-id'), /^[0-9a-f-]{36}$/)
  t.equal(headers.get('x-content-type-options'), 'nosniff')
})

t.test('a failure that nobody foresaw is INTERNAL and says nothing more', async (t) => {
  const server = await startServer(t)
  t.intercept(server.app.blobs, 'check', { value: () => Promise.reject(new Error('a bolt from the blue')) })
  const { summary, body } = await call(`${server.origin}/health/ready`)
  t.equal(summary, '500 INTERNAL')
  t.notMatch(JSON.stringify(body), 'bolt')
})

t.test('one of the disk says that it may pass, and not where the files are', async (t) => {
  const server = await startServer(t)
  await rm(join(server.folder, 'local-send'), { recursive: true })
  const { summary, body, headers } = await call(`${server.origin}/health/ready`)
  t.equal(summary, '503 STORAGE_UNAVAILABLE')
  t.equal(headers.get('retry-after'), '5')
  t.notMatch(JSON.stringify(body), server.folder)
})

t.test('other origins only where the operator wants them, and never by cookie', async (t) => {
  const closed = await startServer(t)
  const page = 'https://page.example'
  const preflight = { origin: page, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' }
  t.equal((await call(`${closed.origin}/health`, { headers: { origin: page } })).headers.get('access-control-allow-origin'), null)

  const open = await startServer(t, { CORS_ORIGIN: page })
  const answer = await call(`${open.origin}/api/session/create`, { method: 'OPTIONS', headers: preflight })
  t.equal(answer.headers.get('access-control-allow-origin'), page)
  t.equal(answer.headers.get('access-control-allow-credentials'), null)
  t.equal((await call(`${open.origin}/health`, { headers: { origin: 'https://other.example' } })).headers.get('access-control-allow-origin'), null)
  const asked = await call(`${open.origin}/api/session/00000000/events`, { method: 'OPTIONS', headers: { origin: page, 'access-control-request-method': 'GET', 'access-control-request-headers': 'authorization,last-event-id' } })
  t.match(asked.headers.get('access-control-allow-headers'), /authorization.*last-event-id/, 'events can be gone on with')
})

t.test('a password that is easy to guess gets advice and is taken', async (t) => {
  const { origin } = await startServer(t)
  const create = async (password: string): Promise<unknown> => (await call(`${origin}/api/session/create`, { method: 'POST', body: { password } })).body['password_advice']
  t.match(await create('password1'), /easy to guess/)
  t.equal(await create('absent-mango-river'), undefined)
})

t.test('requests that HTTP itself forbids do not disturb the others', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const answers = await Promise.all([
    exchange(origin, ['nonsense\r\n\r\n']),
    exchange(origin, [postHead('/api/session/create', { 'content-length': 5, 'transfer-encoding': 'chunked' }), '0\r\n\r\n']),
    exchange(origin, [postHead(`/api/session/${session.id}/upload`, { authorization: `Bearer ${session.token}`, 'content-type': 'multipart/form-data; boundary=x', 'transfer-encoding': 'chunked' }), 'zz\r\n'])
  ])
  for (const answer of answers) t.match(answer, /^HTTP\/1.1 400|^$/)
  t.equal((await call(`${session.url}/status`, { token: session.token })).status, 200)
})

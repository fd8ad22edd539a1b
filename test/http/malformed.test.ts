import { once } from 'node:events'
import t from 'tap'
import { createSession, call } from '../helpers/client.js'
import { METRICS_TOKEN } from '../helpers/metrics.js'
import { connectTo, exchange } from '../helpers/raw.js'
import { startServer } from '../helpers/server.js'

t.test('what is not HTTP, or has no path that can be read, is refused in the form of all errors', async (t) => {
  const { origin } = await startServer(t)
  const cases: Record<string, [request: string, refusal: string]> = {
    'no method': ['NONSENSE / HTTP/1.1\r\n\r\n', '400 INVALID_REQUEST'],
    'no HTTP': ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '400 INVALID_REQUEST'],
    'a line break in a header': ['GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: a\rb\r\n\r\n', '400 INVALID_REQUEST'],
    'two lengths': ['POST /api/session/create HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}', '400 INVALID_REQUEST'],
    'a length and chunks': ['POST /api/session/create HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}', '400 INVALID_REQUEST'],
    'headers that are too long': [`GET /health HTTP/1.1\r\nhost: x\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`, '431 HEADERS_TOO_LARGE'],
    'an expectation that nobody knows, of no path': ['GET /nothing HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: miracles\r\n\r\n', '404 NOT_FOUND'],
    'no host': ['GET /health HTTP/1.1\r\nconnection: close\r\n\r\n', '400 INVALID_REQUEST'],
    'a path that does not decode': ['GET /%zz<script> HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', '400 INVALID_REQUEST'],
    'an id that is too long': [`GET /api/session/${'a'.repeat(1025)}/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`, '400 INVALID_REQUEST']
  }
  for (const [name, [request, refusal]] of Object.entries(cases)) {
    const answer = await exchange(origin, [request])
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    const { code, ...rest } = body === '' ? { code: undefined } : JSON.parse(body) as { code: string }
    t.equal(`${head.slice(9, 12)} ${code}`, refusal, name)
    t.match(rest, { statusCode: Number(refusal.slice(0, 3)), error: String, message: String }, name)
    t.match(head, /content-type: application\/json; charset=utf-8/i, name)
    t.notMatch(body, /script|yyy/, `${name}: nothing of the request comes back`)
  }
})

t.test('a path that cannot be read gets the headers of every answer, and is counted', async (t) => {
  const { origin } = await startServer(t, { METRICS_TOKEN })
  const paths = ['/%zz', '/%ff/x', `/api/session/${'a'.repeat(1025)}/status`]
  for (const [i, path] of paths.entries()) {
    const answer = await exchange(origin, [`POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello`])
    t.match(answer, /^HTTP\/1\.1 400 .*"INVALID_REQUEST"/s)
    for (const name of ['content-security-policy', 'x-content-type-options', 'x-request-id']) t.match(answer, new RegExp(`^${name}: .`, 'im'), `${name} of ${path.slice(0, 20)}`)
    const { body } = await call(`${origin}/metrics`, { token: METRICS_TOKEN })
    t.match(body['text'], `local_send_http_errors_total{code="INVALID_REQUEST"} ${i + 1}\n`)
  }
})

t.test('an answer that is on its way is not broken into', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const socket = await connectTo(origin)
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    // The stream of events has begun: what comes now is no chunk of the request.
    if (answer === '') socket.write('not a chunk\r\n')
    answer += text
  })
  const closed = once(socket, 'close')
  socket.write(`GET /api/session/${session.id}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${session.token}\r\ntransfer-encoding: chunked\r\n\r\n`)
  await closed
  t.match(answer, /^HTTP\/1\.1 200 OK/)
  t.notMatch(answer, 'INVALID_REQUEST')
  t.equal((await call(`${session.url}/status`, { token: session.token })).status, 200)
})

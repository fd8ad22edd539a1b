/** What holds behind every proxy that deploy/ has a configuration for. */

import { once } from 'node:events'
import { connect } from 'node:http2'
import { request } from 'node:https'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Test } from 'tap'
import { authorities } from '../helpers/certificate.js'
import { call, createSession, download, joinSession, PASSWORD, randomContent, type TestSession } from '../helpers/client.js'
import { arrival, eventually, listen } from '../helpers/events.js'
import { startServer } from '../helpers/server.js'
import { beginUpload, sendPiece } from '../helpers/tus.js'

/** Far more than a proxy, and the buffers of its sockets, may hold back. */
const CONTENT = randomContent(48 * 2 ** 20)
const FIRST = 32 * 2 ** 20
const ARRIVED = 16 * 2 ** 20

/** Starts the proxy in front of a server. @returns its origin */
export type StartProxy = (t: Test, upstream: string) => Promise<string>

/** Runs them all, with one server and one proxy. */
export async function checkProxy (t: Test, startProxy: StartProxy): Promise<void> {
  const server = await startServer(t, { TRUST_PROXY: '127.0.0.1', RATE_LIMIT_CREATE: '8' }, { heartbeat: 100 })
  const origin = await startProxy(t, server.origin)

  t.test('uploads reach the server while they are sent, by HTTP/1.1 and HTTP/2', async (t) => {
    const session = await createSession(origin)
    for (const [name, open] of Object.entries({ 'HTTP/1.1': openPut, 'HTTP/2': openPutOverHttp2 })) {
      const upload = open(session, `${session.url}/files/video.bin`)
      upload.write(CONTENT.subarray(0, FIRST))
      await eventually(async () => await arrivedOf(session) >= ARRIVED, 10)
      upload.end(CONTENT.subarray(FIRST))
      t.equal(await upload.status, 201, name)
    }
    const { body } = await call(`${session.url}/files`, { token: session.token })
    for (const { file_id: id } of body['files'] as Array<{ file_id: string }>) {
      const url = `${session.url}/download/${id}`
      t.equal(Buffer.compare((await download(url, session.token)).bytes, CONTENT), 0)
      const range = await download(url, session.token, { range: 'bytes=10000000-10000009' })
      t.same([range.status, ...range.bytes], [206, ...CONTENT.subarray(10_000_000, 10_000_010)])
    }
  })

  t.test('a body that is refused is answered, not cut off', async (t) => {
    const session = await createSession(origin)
    const outgoing = request(`${session.url}/files/huge.bin`, { method: 'PUT', headers: { ...bearer(session), 'content-length': 2 ** 30 } })
    outgoing.on('error', () => {})
    // As clients do that do not look for an answer before their end; Caddy passes one on between two pieces.
    const sending = setInterval(() => { if (outgoing.writableLength === 0) outgoing.write(CONTENT.subarray(0, 100_000)) }, 5)
    t.teardown(() => { clearInterval(sending) })
    t.equal(await statusOf(outgoing), 413)
    clearInterval(sending)
    outgoing.destroy()
  })

  t.test('resumable uploads, and events as they happen', async (t) => {
    const session = await createSession(origin)
    const events = await listen(session.url, session.token)
    const { url, id } = await beginUpload(session, session.token, { 'upload-length': '1000000' })
    t.ok(url.startsWith(`${origin}/api/session/`), 'Location stays on the proxy')
    t.equal((await sendPiece(url, session.token, 0, CONTENT.slice(0, 400_000))).status, 204)
    t.equal((await sendPiece(url, session.token, 400_000, CONTENT.slice(400_000, 1_000_000))).status, 204)
    t.match(await arrival(events, 'file.ready'), { data: { file_id: id, size: 1_000_000 } })
    const joiner = await joinSession(session)
    await arrival(events, 'join.joined')
    events.response.destroy()
    t.equal((await download(`${session.url}/download/${id}`, joiner)).bytes.length, 1_000_000)
  })

  t.test('cookies are for HTTPS only, and the origin is the one that browsers see', async (t) => {
    const { headers, body } = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })
    t.match(headers.getSetCookie()[0], /; Secure(;|$)/)
    t.match(headers.get('strict-transport-security'), /^max-age=\d+$/)
    const cookie = `local_send_creator=${String(body['token'])}`
    const close = (page: string) => call(`${origin}/api/session/${String(body['session_id'])}/close`, { method: 'POST', headers: { cookie, origin: page, 'x-forwarded-host': 'evil.example' } })
    t.equal((await close('https://evil.example')).summary, '403 CROSS_ORIGIN', 'whatever host the client names')
    t.equal((await close(origin)).status, 200)
  })

  t.test('limits count the client\'s own address, and nobody can choose another', async (t) => {
    const create = (localAddress: string, headers: Record<string, string> = {}): Promise<number> =>
      statusOf(post(`${origin}/api/session/create`, { localAddress, headers }, JSON.stringify({ password: PASSWORD })))
    for (let i = 0; i < 8; i++) t.equal(await create('127.0.0.2'), 201)
    t.equal(await create('127.0.0.2'), 429)
    const forged = { 'x-forwarded-for': '192.0.2.7', forwarded: 'for=192.0.2.7', 'x-real-ip': '192.0.2.7', 'x-client-ip': '192.0.2.7' }
    t.equal(await create('127.0.0.2', forged), 429, 'a forged address is not believed')
    t.equal(await create('127.0.0.3', { 'x-forwarded-for': '127.0.0.2' }), 201, 'nor does one use up the limit of somebody else')
  })
}

interface OpenUpload {
  write (bytes: Uint8Array): void
  end (bytes: Uint8Array): void
  readonly status: Promise<number>
}

const bearer = ({ token }: TestSession): Record<string, string> => ({ authorization: `Bearer ${token}` })

function openPut (session: TestSession, url: string): OpenUpload {
  const outgoing = request(url, { method: 'PUT', headers: { ...bearer(session), 'content-length': CONTENT.length } })
  return { write: (bytes) => outgoing.write(bytes), end: (bytes) => outgoing.end(bytes), status: statusOf(outgoing) }
}

function openPutOverHttp2 (session: TestSession, url: string): OpenUpload {
  const { origin, pathname } = new URL(url)
  const client = connect(origin, { ca: authorities() })
  const stream = client.request({ ':method': 'PUT', ':path': pathname, ...bearer(session), 'content-length': CONTENT.length })
  const status = once(stream, 'response').then(([headers]: Array<{ ':status'?: number }>) => {
    client.close()
    stream.resume()
    return headers?.[':status'] ?? 0
  })
  return { write: (bytes) => stream.write(bytes), end: (bytes) => stream.end(bytes), status }
}

function post (url: string, { localAddress, headers }: { readonly localAddress: string, readonly headers: Record<string, string> }, body: string): ClientRequest {
  return request(url, { method: 'POST', localAddress, agent: false, ca: authorities(), headers: { 'content-type': 'application/json', ...headers } }).end(body)
}

async function statusOf (outgoing: ClientRequest): Promise<number> {
  const [response] = await once(outgoing, 'response') as [IncomingMessage]
  response.resume()
  return response.statusCode ?? 0
}

/** Bytes of the upload under way that the server has. */
async function arrivedOf ({ url, token }: TestSession): Promise<number> {
  const { body } = await call(`${url}/status`, { token })
  return (body['uploads'] as Array<{ offset: number }>)[0]?.offset ?? 0
}

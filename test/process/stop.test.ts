import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { call, createSession, download, randomContent } from '../helpers/client.js'
import { arrival, eventually, listen } from '../helpers/events.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { movedTo, newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { arrived, beginUpload, offsetOf, openPiece, sendPiece } from '../helpers/tus.js'

const CONTENT = randomContent(1_000_000)
const HALF = 600_000
/** A managed session shows whole chunks as they are written; two lie in the half. */
const SHOWN = 2 * 2 ** 18

/** A server on which one piece of an upload is under way. */
async function transferring (t: Test, environment: Record<string, string>) {
  const settings = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), ...environment }
  const server = await spawnServer(t, settings)
  const session = await createSession(server.origin)
  const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(CONTENT.length) })
  const piece = openPiece(url, session.token, 0, { 'content-length': String(CONTENT.length) })
  piece.request.write(CONTENT.subarray(0, HALF))
  await arrived(session, id, SHOWN)
  return { settings, server, session, url, id, piece }
}

/** Tells a server to stop, and waits until it does no new work. */
async function stop ({ child, origin }: ServerProcess): Promise<void> {
  child.kill('SIGTERM')
  await eventually(async () => (await call(`${origin}/health/ready`)).status !== 200)
}

t.test('a stopping server takes no new work, and lets end what is under way', async (t) => {
  const { server, session, id, piece } = await transferring(t, { SHUTDOWN_GRACE: '600' })
  const events = await listen(session.url, session.token)
  await stop(server)
  const ready = await call(`${server.origin}/health/ready`)
  t.equal(ready.summary, '503 SERVER_STOPPING')
  t.same([ready.headers.get('retry-after'), ready.headers.get('connection')], ['5', 'close'])
  t.equal((await call(`${server.origin}/health/live`)).status, 200, 'it is not dead')
  t.equal((await call(`${session.url}/status`, { token: session.token })).summary, '503 SERVER_STOPPING')
  t.equal((await call(`${server.origin}/api/session/create`, { method: 'POST', body: {} })).summary, '503 SERVER_STOPPING')

  piece.request.end(CONTENT.subarray(HALF))
  t.match(await piece.answer, { status: 204 })
  t.match(await arrival(events, 'file.ready'), { data: { file_id: id } }, 'and who follows it learns its end')
  t.equal(await server.exit, 0)
  await eventually(() => events.ended === 'complete')
})

t.test('what was asked for with Expect is answered, too', async (t) => {
  const server = await spawnServer(t, { UPLOAD_FOLDER: await temporaryFolder(t), SHUTDOWN_GRACE: '600' })
  const session = await createSession(server.origin)
  const upload = request(`${session.url}/files/a.bin`, { method: 'PUT', agent: false, headers: { authorization: `Bearer ${session.token}`, 'content-type': 'application/octet-stream', 'content-length': '1000', expect: '100-continue' } })
  const answered = once(upload, 'response') as Promise<[IncomingMessage]>
  upload.flushHeaders()
  await once(upload, 'continue')
  await stop(server)
  upload.end(randomContent(1000))
  t.equal((await answered)[0].statusCode, 201)
  t.equal(await server.exit, 0)
})

t.test('what is under way may take longer than ten seconds, beside a connection that nobody uses', async (t) => {
  const { server, piece } = await transferring(t, { SHUTDOWN_GRACE: '600' })
  const { port } = new URL(server.origin)
  const unused = connect({ host: '127.0.0.1', port: Number(port) })
  await once(unused, 'connect')
  unused.on('error', () => {}).resume()
  await stop(server)
  await delay(11_000)
  t.equal((await call(`${server.origin}/health/live`)).status, 200)
  piece.request.end(CONTENT.subarray(HALF))
  t.match(await piece.answer, { status: 204 })
  t.equal(await server.exit, 0)
})

t.test('what outlasts the grace is broken off, and can be resumed', async (t) => {
  const { settings, server, session, url, id, piece } = await transferring(t, { SHUTDOWN_GRACE: '1' })
  server.child.kill('SIGTERM')
  t.match(await piece.answer, { status: 503 })
  piece.request.destroy()
  t.equal(await server.exit, 0)

  const next = await spawnServer(t, settings)
  const moved = movedTo(next, session)
  const resumed = next.origin + new URL(url).pathname
  const offset = await offsetOf(resumed, session.token)
  t.ok(offset >= SHOWN, `${offset}`)
  t.equal((await sendPiece(resumed, session.token, offset, CONTENT.slice(offset))).status, 204)
  t.equal(Buffer.compare((await download(`${moved.url}/download/${id}`, session.token)).bytes, CONTENT), 0)
})

t.test('connections that nobody uses keep nothing from stopping', async (t) => {
  const server = await spawnServer(t, { UPLOAD_FOLDER: await temporaryFolder(t), SHUTDOWN_GRACE: '600' })
  const { port } = new URL(server.origin)
  const sockets = await Promise.all(['', 'GET /health HTTP/1.1\r\n', 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n'].map(async (said) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port) })
    await once(socket, 'connect')
    socket.on('error', () => {}).resume().write(said)
    return socket
  }))
  const closed = sockets.map((socket) => once(socket, 'close'))
  t.equal((await call(`${server.origin}/health`)).status, 200)
  server.child.kill('SIGTERM')
  t.equal(await server.exit, 0)
  await Promise.all(closed)
})

t.test('a second signal stops at once', async (t) => {
  const { settings, server, session, url, piece } = await transferring(t, { SHUTDOWN_GRACE: '600' })
  const broken = new Promise((resolve) => { piece.request.once('close', resolve) })
  await stop(server)
  server.child.kill('SIGTERM')
  t.equal(await server.exit, 1)
  await broken
  const next = await spawnServer(t, settings)
  t.ok(await offsetOf(next.origin + new URL(url).pathname, session.token) >= SHOWN, 'even so nothing is lost')
})

import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { call, createSession, download, joinSession, randomContent, sha256, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { beginUpload, openPiece, sendPiece } from '../helpers/tus.js'

const CHUNK = 2 ** 18

type Tap = Parameters<typeof startServer>[0]

async function setUp (t: Tap, environment: Record<string, string> = {}): Promise<{ server: TestServer, session: TestSession, token: string, joiner: string }> {
  const server = await startServer(t, environment)
  const session = await createSession(server.origin)
  return { server, session, token: session.token, joiner: await joinSession(session) }
}

interface Following {
  readonly received: () => Buffer
  readonly response: Promise<IncomingMessage>
  /** Whether the answer came to its end; `false` if it broke. */
  readonly whole: Promise<boolean>
}

/** Reads an answer as it comes. */
function follow (url: string, token: string, headers: Record<string, string> = {}): Following {
  const pieces: Buffer[] = []
  const response = once(get(url, { agent: false, headers: { authorization: `Bearer ${token}`, ...headers } }), 'response').then(([incoming]) => incoming as IncomingMessage)
  const whole = response.then(async (incoming) => {
    try {
      for await (const piece of incoming) pieces.push(piece as Buffer)
      return true
    } catch {
      return false
    }
  })
  return { response, whole, received: () => Buffer.concat(pieces) }
}

t.test('a file is received while it is still being sent', async (t) => {
  const { session, token, joiner } = await setUp(t)
  const content = randomContent(6 * CHUNK + 99)
  const { url, id } = await beginUpload(session, token, { 'upload-length': String(content.length) })
  const reader = follow(`${session.url}/download/${id}`, joiner)
  await sendPiece(url, token, 0, content.slice(0, 1000))
  const { headers } = await reader.response
  t.equal(headers['content-length'], String(content.length))
  t.equal(headers['repr-digest'], undefined, 'nobody knows it yet')
  await eventually(() => reader.received().length === 1000)

  const piece = openPiece(url, token, 1000, { 'content-length': String(content.length - 1000) })
  piece.request.write(content.subarray(1000, 1000 + 3 * CHUNK + 1))
  await eventually(() => reader.received().length === 1000 + 3 * CHUNK)
  const late = follow(`${session.url}/download/${id}`, joiner)
  await eventually(() => late.received().length === 1000 + 3 * CHUNK)
  const part = await download(`${session.url}/download/${id}`, joiner, { range: `bytes=500-${CHUNK}` })
  t.equal(part.headers.get('content-range'), `bytes 500-${CHUNK}/${content.length}`)
  t.ok(Buffer.from(content.subarray(500, CHUNK + 1)).equals(part.bytes))

  piece.request.end(content.subarray(1000 + 3 * CHUNK + 1))
  t.match(await piece.answer, { status: 204 })
  t.same(await Promise.all([reader.whole, late.whole]), [true, true])
  t.equal(sha256(reader.received()), sha256(content))
  t.equal(sha256(late.received()), sha256(content))
})

t.test('of a length that nobody knows, and over an interruption of the sender', async (t) => {
  const { server, session, token, joiner } = await setUp(t)
  const content = randomContent(4 * CHUNK)
  const { url, id } = await beginUpload(session, token, { 'upload-defer-length': '1' })
  const reader = follow(`${session.url}/download/${id}`, joiner, { range: 'bytes=0-9' })
  const piece = openPiece(url, token, 0, { 'content-length': String(content.length) })
  piece.request.write(content.subarray(0, 2 * CHUNK + 5))
  const { statusCode, headers } = await reader.response
  t.equal(statusCode, 200, 'without a length there is no range')
  t.equal(headers['content-length'], undefined)
  await eventually(() => reader.received().length === 2 * CHUNK)
  piece.request.destroy()
  await eventually(() => server.app.sessions.transfers.size === 1)
  await eventually(() => reader.received().length === 2 * CHUNK + 5)
  await sendPiece(url, token, 2 * CHUNK + 5, content.slice(2 * CHUNK + 5))
  await sendPiece(url, token, content.length, new Uint8Array(), { 'upload-length': String(content.length) })
  t.ok(await reader.whole)
  t.equal(sha256(reader.received()), sha256(content))
})

t.test('a reader never takes a part of a file for the whole', async (t) => {
  const { session, token, joiner } = await setUp(t, { IDLE_TIMEOUT: '1' })
  const content = randomContent(3 * CHUNK)
  const begin = async (headers: Record<string, string> = {}): Promise<{ url: string, reader: Following, id: string }> => {
    const { url, id } = await beginUpload(session, token, { 'upload-length': String(content.length), ...headers })
    await sendPiece(url, token, 0, content.slice(0, CHUNK))
    const reader = follow(`${session.url}/download/${id}`, joiner)
    await eventually(() => reader.received().length === CHUNK)
    return { url, id, reader }
  }
  const stalled = await begin()
  t.notOk(await stalled.reader.whole, 'the sender stalls')

  const deleted = await begin()
  await call(`${session.url}/files/${deleted.id}`, { method: 'DELETE', token })
  t.notOk(await deleted.reader.whole, 'the sender gives up')

  const wrong = await begin({ 'upload-metadata': `sha256 ${Buffer.from('0'.repeat(64)).toString('base64')}` })
  t.equal((await sendPiece(wrong.url, token, CHUNK, content.slice(CHUNK))).summary, '422 CHECKSUM_MISMATCH')
  t.notOk(await wrong.reader.whole, 'the digest is another')

  const left = await begin()
  await call(`${session.url}/leave`, { method: 'POST', token: joiner })
  t.notOk(await left.reader.whole, 'the reader leaves')
})

t.test('what may still prove damaged is not shown to readers', async (t) => {
  const { session, token, joiner } = await setUp(t)
  const content = randomContent(2 * CHUNK + 1)
  const { url, id } = await beginUpload(session, token, { 'upload-length': String(content.length + 1) })
  await sendPiece(url, token, 0, content.slice(0, 1))
  const reader = follow(`${session.url}/download/${id}`, joiner)
  const digest = Buffer.from(sha256(content), 'hex').toString('base64')
  const piece = openPiece(url, token, 1, { 'content-length': String(content.length), 'upload-checksum': `sha256 ${digest}` })
  piece.request.write(new Uint8Array(2 * CHUNK))
  await delay(200)
  t.equal(reader.received().length, 1)
  piece.request.end(new Uint8Array(1))
  t.match(await piece.answer, { status: 460 })
  await sendPiece(url, token, 1, content, { 'upload-checksum': `sha256 ${digest}` })
  t.ok(await reader.whole)
  t.equal(sha256(reader.received()), sha256(Buffer.concat([content.subarray(0, 1), content])))
})

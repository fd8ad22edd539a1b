import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import t from 'tap'
import { call, createSession, download, form, randomContent, uploadFile, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { beginUpload, offsetOf, openPiece } from '../helpers/tus.js'

const MIB = 2 ** 20
/** More than the sockets of both sides take in. */
const LARGE = 32 * MIB

t.test('downloads that nobody reads take no memory from other sessions', async (t) => {
  const server = await startServer(t, { STREAM_MEMORY: '4MiB' })
  const hog = await createSession(server.origin)
  const { file_id: id } = await uploadFile(hog, hog.token, randomContent(LARGE))
  const other = await createSession(server.origin)
  const file = await uploadFile(other, other.token, randomContent(4 * MIB))
  const paths = Array.from({ length: 16 }, (_, i) => i % 2 === 0 ? `download/${id}` : 'archive')
  const unread = paths.map((path) => open(hog, path))
  t.teardown(() => { for (const { end } of unread) end() })
  await allTaken(server)

  const [fetched, archived, sent] = await Promise.all([
    download(`${other.url}/download/${file.file_id}`, other.token),
    download(`${other.url}/archive`, other.token),
    call(`${other.url}/upload`, { method: 'POST', token: other.token, body: form({ content: randomContent(4 * MIB) }) })
  ])
  t.equal(fetched.status, 200)
  t.equal(fetched.bytes.length, 4 * MIB)
  t.equal(archived.status, 200)
  t.equal(sent.summary, '201')
})

t.test('uploads that bring next to nothing, either: they are kept as far as they have come', async (t) => {
  const server = await startServer(t, { STREAM_MEMORY: '4MiB' })
  const hog = await createSession(server.origin)
  const pieces = await Promise.all(Array.from({ length: 16 }, async () => {
    const { url } = await beginUpload(hog, hog.token, { 'upload-length': String(MIB) })
    const piece = openPiece(url, hog.token, 0, { 'content-length': String(MIB) })
    piece.request.write(randomContent(10_000))
    return { url, ...piece }
  }))
  t.teardown(() => { for (const { request } of pieces) request.destroy() })
  await allTaken(server)

  const ended = Promise.race(pieces.map(async ({ url, answer }) => ({ url, ...await answer })))
  const other = await createSession(server.origin)
  t.equal((await uploadFile(other, other.token, randomContent(MIB))).size, MIB)
  const { url, status, body } = await ended
  t.match({ status, body }, { status: 503, body: /SERVER_BUSY/ })
  t.equal(await offsetOf(url, hog.token), 10_000)
})

t.test('where no other session waits, readers that stop keep what they have', async (t) => {
  const server = await startServer(t, { STREAM_MEMORY: '1MiB' })
  const session = await createSession(server.origin)
  const { file_id: id } = await uploadFile(session, session.token, randomContent(LARGE))
  const unread = [open(session, `download/${id}`), open(session, `download/${id}`)]
  t.teardown(() => { for (const { end } of unread) end() })
  const responses = await Promise.all(unread.map(({ response }) => response))
  t.equal((await call(`${session.url}/download/${id}`, { token: session.token })).summary, '503 SERVER_BUSY')
  for (const response of responses) t.equal(await lengthOf(response), LARGE)
})

t.test('a session does not lose its only transfer to another one, however slow it is', async (t) => {
  const server = await startServer(t, { STREAM_MEMORY: '1MiB' })
  const unread = await Promise.all([1, 2].map(async () => {
    const session = await createSession(server.origin)
    const { file_id: id } = await uploadFile(session, session.token, randomContent(LARGE))
    return { session, id }
  }))
  const opened = unread.map(({ session, id }) => open(session, `download/${id}`))
  t.teardown(() => { for (const { end } of opened) end() })
  const responses = await Promise.all(opened.map(({ response }) => response))
  const third = await createSession(server.origin)
  t.equal((await call(`${third.url}/upload`, { method: 'POST', token: third.token, body: form({ content: randomContent(MIB) }) })).summary, '503 SERVER_BUSY')
  for (const response of responses) t.equal(await lengthOf(response), LARGE)
})

/** A request whose answer nobody reads. */
function open ({ url, token }: TestSession, path: string): { readonly response: Promise<IncomingMessage>, readonly end: () => void } {
  const request = get(`${url}/${path}`, { agent: false, headers: { authorization: `Bearer ${token}` } })
  request.on('error', () => {})
  const response = once(request, 'response').then(([response]: IncomingMessage[]) => {
    if (response === undefined) throw new Error('no response')
    return response
  })
  response.catch(() => {})
  return { response, end: () => { request.destroy() } }
}

/** Waits until all slots are taken and more are asked for. */
async function allTaken ({ app: { memoryBudget: budget } }: TestServer): Promise<void> {
  await eventually(() => budget.used === budget.slots && budget.waiting > 0)
}

async function lengthOf (response: IncomingMessage): Promise<number> {
  let length = 0
  for await (const piece of response as AsyncIterable<Uint8Array>) length += piece.length
  return length
}

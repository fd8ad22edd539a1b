import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { call, createSession, download, joinSession, randomContent, sha256, uploadFile, type Answer, type TestSession, type UploadedFile } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { connectTo, exchange } from '../helpers/raw.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { beginUpload, metadata, sendPiece } from '../helpers/tus.js'

const CHUNK = 2 ** 18

const put = ({ url, token }: TestSession, name: string, content: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Answer> =>
  call(`${url}/files/${name}`, { method: 'PUT', token, headers, body: new Blob([content]) })

const digestOf = (content: Uint8Array): string => `sha-256=:${Buffer.from(sha256(content), 'hex').toString('base64')}:`

const blobs = async ({ folder }: TestServer): Promise<string[]> =>
  (await readdir(join(folder, 'local-send'))).filter((name) => name.endsWith('.lsf'))

const filesIn = ({ body }: Answer): UploadedFile[] => body['files'] as UploadedFile[]

t.test('the body is the file', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  for (const size of [0, 1, CHUNK, 3 * CHUNK + 5]) {
    const content = randomContent(size)
    const answer = await put(session, encodeURIComponent('Übung 1.bin'), content, { 'repr-digest': digestOf(content) })
    t.equal(answer.status, 201)
    const [file] = filesIn(answer)
    t.match(file, { filename: 'Übung 1.bin', size, sha256: sha256(content) })
    t.equal(sha256((await download(`${session.url}/download/${file?.file_id ?? ''}`, session.token)).bytes), sha256(content))
  }
})

t.test('a name may be as long as names are', async (t) => {
  const { origin } = await startServer(t)
  const { url, token } = await createSession(origin)
  for (const name of [`${'a'.repeat(251)}.txt`, `${'日'.repeat(83)}.jpeg`]) {
    const { body } = await call(`${url}/files/${encodeURIComponent(name)}`, { method: 'PUT', token, body: 'x' })
    t.match(body, { files: [{ filename: name }] })
  }
})

t.test('what is refused, and that nothing of it stays', async (t) => {
  const server = await startServer(t, { MAX_FILE_SIZE: '1MiB', ALLOWED_EXTENSIONS: 'bin' })
  const session = await createSession(server.origin)
  const content = randomContent(CHUNK + 1)
  const big = randomContent(2 ** 20 + 1)
  const cases: Record<string, [string, () => Promise<Answer>]> = {
    'another digest': ['422 CHECKSUM_MISMATCH', () => put(session, 'a.bin', content, { 'repr-digest': digestOf(big) })],
    'a digest of another kind': ['400 CHECKSUM_INVALID', () => put(session, 'a.bin', content, { 'repr-digest': 'md5=:1B2M2Y8AsgTpgAmY7PhCfg==:' })],
    'over MAX_FILE_SIZE': ['413 FILE_TOO_LARGE', () => put(session, 'a.bin', big)],
    'another extension': ['415 FILE_TYPE_NOT_ALLOWED', () => put(session, 'a.exe', content)],
    'a part of a file': ['400 INVALID_REQUEST', () => put(session, 'a.bin', content, { 'content-range': `bytes 5-${content.length + 4}/${content.length + 5}` })],
    'one that is compressed': ['415 UNSUPPORTED_MEDIA_TYPE', () => put(session, 'a.bin', content, { 'content-encoding': 'gzip' })],
    'no name': ['400 INVALID_REQUEST', () => put(session, '', content)]
  }
  for (const [name, [expected, send]] of Object.entries(cases)) t.equal((await send()).summary, expected, name)
  const [hostile] = filesIn(await put(session, '..%2F..%2Fetc%2Fpasswd%0A.bin', content))
  t.equal(hostile?.filename, 'passwd.bin')
  t.equal((await blobs(server)).length, 1)

  const path = new URL(`${session.url}/files/a.bin`).pathname
  const head = `PUT ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${session.token}\r\n`
  t.match(await exchange(server.origin, [`${head}expect: 100-continue\r\ncontent-length: 2000000\r\n\r\n`]), /^HTTP\/1.1 413/, 'before a byte is asked for')
  const socket = await connectTo(server.origin)
  socket.write(`${head}content-length: 500000\r\n\r\n`)
  socket.write(content)
  await eventually(async () => (await blobs(server)).length !== 1)
  socket.destroy()
  await eventually(() => server.app.sessions.transfers.size === 0)
  t.equal((await blobs(server)).length, 1, 'a client that goes away in the middle leaves nothing')
})

t.test('a body that stalls or trickles is ended', async (t) => {
  const { origin } = await startServer(t, { IDLE_TIMEOUT: '1' })
  const session = await createSession(origin)
  const path = new URL(`${session.url}/files/a.bin`).pathname
  const socket = await connectTo(origin)
  let answer = ''
  socket.setEncoding('latin1').on('error', () => {}).on('data', (text: string) => { answer += text })
  socket.write(`PUT ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${session.token}\r\ncontent-length: 500000\r\n\r\n`)
  const trickle = setInterval(() => socket.write('x'), 50)
  await eventually(() => answer.includes('UPLOAD_STALLED'))
  clearInterval(trickle)
  socket.destroy()
  t.match(answer, /^HTTP\/1.1 408/)
})

t.test('a client that waits for its place does not count as stalled', async (t) => {
  const server = await startServer(t, { IDLE_TIMEOUT: '1', STREAM_MEMORY: '1MiB' })
  const session = await createSession(server.origin)
  const { file_id: id } = await uploadFile(session, session.token, randomContent(40 * 2 ** 20))
  // Two places in all: both are taken by readers that do not read.
  const readers = await Promise.all(Array.from({ length: 2 }, async () => {
    const [response] = await once(get(`${session.url}/download/${id}`, { headers: { authorization: `Bearer ${session.token}` } }), 'response') as [IncomingMessage]
    return response
  }))
  const answer = put(session, 'late.bin', randomContent(2 ** 20))
  await eventually(() => server.app.sessions.transfers.size >= 3)
  await delay(2500)
  for (const reader of readers) reader.destroy()
  t.equal((await answer).status, 201)
})

t.test('limits of one file: by field, by metadata', async (t) => {
  let now = Date.now()
  const server = await startServer(t, {}, { clock: () => now })
  const session = await createSession(server.origin, { max_downloads: 3 })
  const content = randomContent(CHUNK + 1)
  const data = new FormData()
  data.append('max_downloads', '1')
  data.append('expires_in', '60')
  data.append('file', new Blob([content]), 'limited.bin')
  data.append('file', new Blob([content]), 'free.bin')
  const [limited, free] = filesIn(await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: data }))
  t.match(limited, { max_downloads: 1, expires_at: new Date(now + 60_000).toISOString() })
  t.notOk(Object.hasOwn(free ?? {}, 'max_downloads'), 'they count for the next file only')
  const { url, id } = await beginUpload(session, session.token, { 'upload-length': '5', 'upload-metadata': metadata({ max_downloads: '2', expires_in: '120' }) })
  await sendPiece(url, session.token, 0, randomContent(5))

  const fetchMany = async (fileId: string): Promise<number> => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => download(`${session.url}/download/${fileId}`, session.token)))
    t.ok(answers.every(({ status }) => status === 200 || status === 410))
    return answers.filter(({ status }) => status === 200).length
  }
  t.equal(await fetchMany(limited?.file_id ?? ''), 1)
  t.equal(await fetchMany(id), 2)
  t.equal(await fetchMany(free?.file_id ?? ''), 3, 'the session\'s own limit')

  now += 60_000
  const namesNow = async () => filesIn(await call(`${session.url}/files`, { token: session.token })).map(({ filename }) => filename)
  const names = await namesNow()
  t.equal((await call(`${session.url}/download/${limited?.file_id ?? ''}`, { token: session.token })).summary, '404 FILE_NOT_FOUND', 'also before anybody has swept')
  await server.app.sessions.sweep()
  t.same(await namesNow(), names)
  t.same(names, ['free.bin', 'file'])
  t.equal((await blobs(server)).length, 2)

  for (const [name, value] of [['max_downloads', '0'], ['max_downloads', 'many'], ['expires_in', '-1'], ['expires_in', '1.5']] as const) {
    const bad = new FormData()
    bad.append(name, value)
    bad.append('file', new Blob([content]), 'x')
    t.equal((await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: bad })).summary, '400 INVALID_REQUEST', `${name}=${value}`)
  }
})

t.test('a download that its reader cut off right after the last byte counts', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin, { max_downloads: 1 })
  const joiner = await joinSession(session)
  const { file_id: id, size } = await uploadFile(session, session.token, randomContent(3 * CHUNK))
  const { pathname } = new URL(`${session.url}/download/${id}`)
  const socket = await connectTo(origin)
  let received = 0
  socket.on('error', () => {}).on('data', (bytes: Buffer) => {
    received += bytes.length
    if (received > size) socket.destroy()
  })
  socket.write(`GET ${pathname} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${joiner}\r\n\r\n`)
  await eventually(() => socket.destroyed)
  await delay(100)
  t.equal((await download(`${session.url}/download/${id}`, joiner)).status, 410)
})

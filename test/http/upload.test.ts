import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { call, createSession, form, joinSession, randomContent, sha256, uploadFile, type Answer, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { connectTo, exchange, postHead } from '../helpers/raw.js'
import { startServer, type TestServer } from '../helpers/server.js'

const CHUNK = 2 ** 18

/** The blobs in the server's folder. */
const blobs = async ({ folder }: TestServer): Promise<string[]> =>
  (await readdir(join(folder, 'local-send'))).filter((name) => name !== 'lock')

/** Waits until nothing is under way and says what is left: blobs, files of the session. */
async function left (server: TestServer, { url, token }: TestSession): Promise<{ blobs: number, files: number }> {
  await eventually(() => server.app.sessions.transfers.size === 0)
  const { body } = await call(`${url}/files`, { token })
  return { blobs: (await blobs(server)).length, files: (body['files'] as object[]).length }
}

const upload = ({ url, token }: TestSession, body: FormData, headers = {}): Promise<Answer> =>
  call(`${url}/upload`, { method: 'POST', token, body, headers })

const BOUNDARY = 'boundary-of-the-test'
const multipart = (...parts: string[]): string => `${parts.map((part) => `--${BOUNDARY}\r\n${part}\r\n`).join('')}--${BOUNDARY}--\r\n`
const filePart = (content: string, name = 'file'): string => `content-disposition: form-data; name="${name}"; filename="a.txt"\r\n\r\n${content}`
const fieldPart = (name: string, value: string): string => `content-disposition: form-data; name="${name}"\r\n\r\n${value}`

const uploadText = ({ url, token }: TestSession, body: string, contentType = `multipart/form-data; boundary=${BOUNDARY}`): Promise<Answer> =>
  call(`${url}/upload`, { method: 'POST', token, body, headers: { 'content-type': contentType } })

t.test('what is refused, with which code, and that nothing of it stays', async (t) => {
  const server = await startServer(t, { MAX_FILE_SIZE: '1MiB', MAX_SESSION_SIZE: '2MiB', MAX_FILES: '3' })
  const session = await createSession(server.origin)
  const big = randomContent(2 ** 20 + 1)
  const half = randomContent(2 ** 19)
  const wrongSha = '0'.repeat(64)
  const cases: Record<string, [string, () => Promise<Answer>]> = {
    'over MAX_FILE_SIZE': ['413 FILE_TOO_LARGE', () => upload(session, form({ content: big }))],
    'one good file, then one over MAX_FILE_SIZE': ['413 FILE_TOO_LARGE', () => upload(session, form({ content: half }, { content: big }))],
    'together over MAX_SESSION_SIZE, seen by Content-Length': ['413 SESSION_SIZE_EXCEEDED', () => upload(session, form(...Array.from({ length: 7 }, () => ({ content: half }))))],
    'more files than MAX_FILES': ['413 TOO_MANY_FILES', () => upload(session, form(...Array.from({ length: 4 }, () => ({ content: new Uint8Array(9) }))))],
    'wrong sha256': ['422 CHECKSUM_MISMATCH', () => upload(session, form({ content: half, sha256: sha256(half) }, { content: half, sha256: wrongSha }))],
    'sha256 that is none': ['400 INVALID_REQUEST', () => upload(session, form({ content: half, sha256: 'abc' }))],
    'no part at all': ['400 NO_FILE', () => uploadText(session, `--${BOUNDARY}--\r\n`)],
    'empty body': ['400 NO_FILE', () => uploadText(session, '')],
    'a file part without a filename is a field': ['400 MULTIPART_UNEXPECTED', () => uploadText(session, multipart(fieldPart('file', 'content')))],
    'file under another name': ['400 MULTIPART_UNEXPECTED', () => uploadText(session, multipart(filePart('x', 'upload')))],
    'unknown field': ['400 MULTIPART_UNEXPECTED', () => uploadText(session, multipart(fieldPart('comment', 'x'), filePart('x')))],
    'field after its file': ['400 MULTIPART_UNEXPECTED', () => uploadText(session, multipart(filePart('x'), fieldPart('sha256', sha256(Buffer.from('x')))))],
    'two digests for one file': ['400 MULTIPART_UNEXPECTED', () => uploadText(session, multipart(fieldPart('sha256', wrongSha), fieldPart('sha256', wrongSha), filePart('x')))],
    'a field with a name of Object.prototype': ['400 MULTIPART_UNEXPECTED', () => uploadText(session, multipart(fieldPart('__proto__', 'x'), filePart('x')))],
    'missing boundary': ['400 MULTIPART_MALFORMED', () => uploadText(session, multipart(filePart('x')), 'multipart/form-data')],
    'another boundary than announced': ['400 MULTIPART_MALFORMED', () => uploadText(session, multipart(filePart('x')), 'multipart/form-data; boundary=other')],
    'ends within a file': ['400 MULTIPART_MALFORMED', () => uploadText(session, multipart(filePart('x')).slice(0, -30))],
    'ends within a header': ['400 MULTIPART_MALFORMED', () => uploadText(session, multipart(filePart('x')).slice(0, 40))],
    '10 000 empty files': ['413 TOO_MANY_FILES', () => uploadText(session, multipart(...Array.from({ length: 10_000 }, () => filePart(''))))],
    '10 000 fields': ['400 MULTIPART_UNEXPECTED', () => uploadText(session, multipart(...Array.from({ length: 10_000 }, () => fieldPart('x', ''))))],
    'not multipart': ['415 UNSUPPORTED_MEDIA_TYPE', () => uploadText(session, 'x', 'text/plain')],
    JSON: ['415 UNSUPPORTED_MEDIA_TYPE', () => uploadText(session, '{}', 'application/json')],
    'junk Content-Type': ['400 MULTIPART_MALFORMED', () => uploadText(session, 'x', 'multipart/form-data\t;;;,')],
    'no Content-Type': ['415 UNSUPPORTED_MEDIA_TYPE', () => call(`${session.url}/upload`, { method: 'POST', token: session.token })]
  }
  for (const [name, [expected, send]] of Object.entries(cases)) {
    t.equal((await send()).summary, expected, name)
    t.same(await left(server, session), { blobs: 0, files: 0 }, `${name}: nothing stays`)
  }
  t.ok(await uploadFile(session, session.token, randomContent(2 ** 20)), 'a file of exactly MAX_FILE_SIZE')
})

t.test('more parts than one request may have', async (t) => {
  const server = await startServer(t)
  const session = await createSession(server.origin)
  const answer = await uploadText(session, multipart(...Array.from({ length: 1001 }, () => filePart(''))))
  t.equal(answer.summary, '413 TOO_MANY_PARTS')
  t.same(await left(server, session), { blobs: 0, files: 0 })
})

t.test('limits of the session and of the server count all uploads, and give back what is deleted', async (t) => {
  const server = await startServer(t, { MAX_FILE_SIZE: '1MiB', MAX_SESSION_SIZE: '2MiB', MAX_STORAGE: '3MiB' })
  const first = await createSession(server.origin)
  const second = await createSession(server.origin)
  const content = randomContent(2 ** 20)
  const { file_id: deletable } = await uploadFile(first, first.token, content)
  await uploadFile(first, first.token, content)
  t.equal((await upload(first, form({ content: randomContent(1) }))).summary, '413 SESSION_SIZE_EXCEEDED')
  await uploadFile(second, second.token, content)
  t.equal((await upload(second, form({ content }))).summary, '507 STORAGE_FULL')
  await call(`${first.url}/files/${deletable}`, { method: 'DELETE', token: first.token })
  t.equal((await upload(second, form({ content }))).status, 201)
  await call(`${first.url}/close`, { method: 'POST', token: first.token })
  t.equal((await blobs(server)).length, 2)
})

t.test('a disk nearly full', async (t) => {
  const server = await startServer(t, { MIN_FREE_SPACE: '1000TiB' })
  const session = await createSession(server.origin)
  const answer = await upload(session, form({ content: randomContent(10) }))
  t.equal(answer.summary, '507 STORAGE_FULL')
  t.equal(answer.headers.get('retry-after'), '60')
  t.same(await left(server, session), { blobs: 0, files: 0 })
})

t.test('types and extensions that are not allowed', async (t) => {
  const server = await startServer(t, { ALLOWED_TYPES: 'image/*,text/plain', ALLOWED_EXTENSIONS: 'png,txt' })
  const session = await createSession(server.origin)
  const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0])
  const pdf = new TextEncoder().encode('%PDF-1.7\n%âãÏÓ\n')
  const send = async (content: Uint8Array<ArrayBuffer>, name: string, type: string): Promise<string> => (await upload(session, form({ content, name, type }))).summary
  t.equal(await send(png, 'a.png', 'application/octet-stream'), '201', 'found in the content')
  t.equal(await send(new TextEncoder().encode('hello'), 'a.txt', 'text/plain; charset=utf-8'), '201')
  t.equal(await send(pdf, 'a.png', 'image/png'), '415 FILE_TYPE_NOT_ALLOWED', 'the content is another')
  t.equal(await send(new TextEncoder().encode('hello'), 'a.png', 'image/png'), '415 FILE_TYPE_NOT_ALLOWED', 'the content is nothing known')
  t.equal(await send(new Uint8Array([0x68, 0, 0x69]), 'a.txt', 'text/plain'), '415 FILE_TYPE_NOT_ALLOWED', 'text with a NUL byte')
  t.equal(await send(png, 'a.exe', 'image/png'), '415 FILE_TYPE_NOT_ALLOWED', 'the extension')
  t.same(await left(server, session), { blobs: 2, files: 2 })
})

t.test('names are made safe and keep their Unicode', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const part = (filename: string): string => `content-disposition: form-data; name="file"; filename="${filename}"\r\n\r\nx`
  const { body } = await uploadText(session, multipart(part('../../etc/passwd'), part('C:\\\\temp\\\\Übung 日本.pdf'), part('CON.txt'), part('a\u202Egpj.exe')))
  t.same((body['files'] as Array<{ filename: string }>).map(({ filename }) => filename), ['passwd', 'Übung 日本.pdf', '_CON.txt', 'agpj.exe'])
})

t.test('a client that goes away in the middle leaves nothing', async (t) => {
  const server = await startServer(t)
  const session = await createSession(server.origin)
  const socket = await connectTo(server.origin)
  socket.write(postHead(`/api/session/${session.id}/upload`, {
    authorization: `Bearer ${session.token}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': 50_000_000
  }))
  socket.write(`--${BOUNDARY}\r\n${filePart('').trimEnd()}\r\n\r\n`)
  for (let i = 0; i < 20; i++) socket.write(randomContent(CHUNK))
  await eventually(async () => (await blobs(server)).length > 0)
  socket.destroy()
  t.same(await left(server, session), { blobs: 0, files: 0 })
})

for (const how of ['close', 'leave', 'expiry'] as const) {
  t.test(`an upload under way ends with ${how}`, async (t) => {
    const server = await startServer(t)
    const session = await createSession(server.origin, how === 'expiry' ? { expires_in: 3 } : {})
    const joiner = await joinSession(session)
    const socket = await connectTo(server.origin)
    socket.setEncoding('latin1').on('error', () => {})
    let answer = ''
    socket.on('data', (text: string) => { answer += text })
    socket.write(postHead(`/api/session/${session.id}/upload`, {
      authorization: `Bearer ${joiner}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': 50_000_000
    }))
    socket.write(`--${BOUNDARY}\r\n${filePart('').trimEnd()}\r\n\r\n`)
    for (let i = 0; i < 8; i++) socket.write(randomContent(CHUNK))
    await eventually(async () => (await blobs(server)).length > 0)
    if (how === 'close') await call(`${session.url}/close`, { method: 'POST', token: session.token })
    if (how === 'leave') await call(`${session.url}/leave`, { method: 'POST', token: joiner })
    if (how === 'expiry') {
      await delay(3000)
      await server.app.sessions.sweep()
    }
    await eventually(() => server.app.sessions.transfers.size === 0)
    t.same(await blobs(server), [])
    await eventually(() => answer.includes('SESSION_CLOSED'))
    t.match(answer, 'HTTP/1.1 409')
    socket.destroy()
  })
}

t.test('a client that stalls between two parts does not outlive its session', async (t) => {
  const server = await startServer(t)
  const session = await createSession(server.origin)
  const socket = await connectTo(server.origin)
  socket.on('error', () => {}).resume()
  socket.write(postHead(`/api/session/${session.id}/upload`, {
    authorization: `Bearer ${session.token}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': 50_000_000
  }))
  socket.write(`--${BOUNDARY}\r\n${filePart('first')}\r\n--${BOUNDARY}\r\n`)
  await eventually(async () => (await blobs(server)).length > 0)
  await call(`${session.url}/close`, { method: 'POST', token: session.token })
  await eventually(() => server.app.sessions.transfers.size === 0)
  t.same(await blobs(server), [])
  socket.destroy()
})

t.test('a refusal is answered before the body is asked for, or while it still comes', async (t) => {
  const { origin } = await startServer(t, { MAX_FILE_SIZE: '1MiB', MAX_SESSION_SIZE: '2MiB' })
  const session = await createSession(origin)
  const path = `/api/session/${session.id}/upload`
  const type = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }
  const authorized = { ...type, authorization: `Bearer ${session.token}` }

  const unasked = await exchange(origin, [postHead(path, { ...type, expect: '100-continue', 'content-length': 10_000_000 })])
  t.match(unasked, /^HTTP\/1.1 401/, 'no 100 Continue for a stranger')
  const tooLarge = await exchange(origin, [postHead(path, { ...authorized, expect: '100-continue', 'content-length': 10_000_000 })])
  t.match(tooLarge, 'SESSION_SIZE_EXCEEDED')

  const body = multipart(filePart('hello'))
  const asked = await exchange(origin, [postHead(path, { ...authorized, expect: '100-continue', 'content-length': body.length }), body])
  t.match(asked, /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 201/)

  const pieces = function * (): Generator<string | Uint8Array> {
    yield postHead(path, { ...authorized, 'transfer-encoding': 'chunked' })
    const head = `--${BOUNDARY}\r\n${filePart('').trimEnd()}\r\n\r\n`
    yield `${head.length.toString(16)}\r\n${head}\r\n`
    for (let i = 0; i < 40; i++) {
      yield `${CHUNK.toString(16)}\r\n`
      yield randomContent(CHUNK)
      yield '\r\n'
    }
    yield '0\r\n\r\n'
  }
  t.match(await exchange(origin, pieces()), 'FILE_TOO_LARGE', 'a client that reads nothing before it has sent 10 MiB still gets the answer')
})

t.test('what lies on the disk is not the plaintext', async (t) => {
  const server = await startServer(t)
  const session = await createSession(server.origin)
  const canary = 'the canary that must never be seen on the disk. '
  await uploadFile(session, session.token, new TextEncoder().encode(canary.repeat(10_000)))
  const [name = ''] = await blobs(server)
  const stored = await readFile(join(server.folder, 'local-send', name))
  t.equal(stored.length, 92 + canary.length * 10_000 + 2 * 16)
  t.notOk(stored.includes('canary'))
})

t.test('only its uploader and the creator delete a file', async (t) => {
  const server = await startServer(t)
  const session = await createSession(server.origin)
  const joiner = await joinSession(session)
  const ofCreator = await uploadFile(session, session.token, randomContent(10))
  const ofJoiner = await uploadFile(session, joiner, randomContent(10))
  const remove = async (id: string, token: string): Promise<string> => (await call(`${session.url}/files/${id}`, { method: 'DELETE', token })).summary
  t.equal(await remove(ofCreator.file_id, joiner), '403 NOT_YOUR_FILE')
  t.equal(await remove(ofJoiner.file_id, joiner), '204')
  t.equal(await remove(ofJoiner.file_id, joiner), '404 FILE_NOT_FOUND')
  t.equal(await remove(ofCreator.file_id, session.token), '204')
  t.same(await left(server, session), { blobs: 0, files: 0 })
})

t.test('a page goes on behind a file that was deleted meanwhile', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const ids: string[] = []
  for (let i = 0; i < 4; i++) ids.push((await uploadFile(session, session.token, randomContent(1))).file_id)
  const list = async (query: string): Promise<{ ids: string[], next: unknown }> => {
    const { body } = await call(`${session.url}/files?${query}`, { token: session.token })
    return { ids: (body['files'] as Array<{ file_id: string }>).map(({ file_id: id }) => id), next: body['next_cursor'] }
  }
  const first = await list('limit=2')
  t.same(first.ids, ids.slice(0, 2))
  await call(`${session.url}/files/${ids[1] ?? ''}`, { method: 'DELETE', token: session.token })
  await call(`${session.url}/files/${ids[3] ?? ''}`, { method: 'DELETE', token: session.token })
  const added = await uploadFile(session, session.token, randomContent(1))
  t.same(await list(`limit=2&cursor=${String(first.next)}`), { ids: [ids[2], added.file_id], next: null })
})

t.test('thousands of small files fit into one request, near the limit of the session', async (t) => {
  const { origin } = await startServer(t, { MAX_FILE_SIZE: '1KB', MAX_SESSION_SIZE: '1000KB' })
  const session = await createSession(origin)
  const files = Array.from({ length: 1000 }, () => ({ content: randomContent(1000), name: 'a name that takes room '.repeat(6) }))
  t.equal((await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form(...files) })).status, 201)
})

t.test('the list comes in pages', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  for (let i = 0; i < 5; i++) await uploadFile(session, session.token, randomContent(1), `${i}`)
  const names: string[] = []
  let cursor: string | null = null
  do {
    const { body } = await call(`${session.url}/files?limit=2${cursor === null ? '' : `&cursor=${cursor}`}`, { token: session.token })
    names.push(...(body['files'] as Array<{ filename: string }>).map(({ filename }) => filename))
    cursor = body['next_cursor'] as string | null
  } while (cursor !== null)
  t.same(names, ['0', '1', '2', '3', '4'])
  t.equal((await call(`${session.url}/files?cursor=${'0'.repeat(32)}`, { token: session.token })).summary, '400 INVALID_REQUEST')
  t.equal((await call(`${session.url}/files?limit=0`, { token: session.token })).summary, '400 INVALID_REQUEST')
})

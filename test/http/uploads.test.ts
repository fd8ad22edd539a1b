import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { call, createSession, download, joinSession, randomContent, sha256, type TestSession } from '../helpers/client.js'
import { arrival, eventually, listen } from '../helpers/events.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { beginUpload, metadata, offsetOf, openPiece, PIECE, sendPiece, TUS } from '../helpers/tus.js'

const CHUNK = 2 ** 18

interface OpenApi {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, { readonly headers?: object }>> }>>>>
}

const blobs = async ({ folder }: TestServer): Promise<string[]> =>
  (await readdir(join(folder, 'local-send'))).filter((name) => name.endsWith('.lsf'))

async function listed ({ url, token }: TestSession): Promise<Array<Record<string, unknown>>> {
  return (await call(`${url}/files`, { token })).body['files'] as Array<Record<string, unknown>>
}

async function setUp (t: Parameters<typeof startServer>[0], environment: Record<string, string> = {}): Promise<{ server: TestServer, session: TestSession, token: string }> {
  const server = await startServer(t, environment)
  const session = await createSession(server.origin)
  return { server, session, token: session.token }
}

t.test('answers have the headers that the document names', async (t) => {
  const { server, session, token } = await setUp(t)
  const { paths = {} } = JSON.parse(JSON.stringify(server.app.swagger())) as OpenApi
  const missing = (path: string, method: string, answer: { readonly status: number, readonly headers: Headers }): string[] => {
    const named = Object.keys(paths[path]?.[method]?.responses[answer.status]?.headers ?? {})
    t.ok(named.length > 0, `${method} ${path} names some`)
    return named.filter((name) => !answer.headers.has(name))
  }
  const at = '/api/session/{id}/uploads'
  const begun = await beginUpload(session, token, { 'upload-length': '5', 'upload-metadata': metadata({ filename: 'a.bin' }) })
  t.same(missing(at, 'post', begun.answer), [])
  t.same(missing(`${at}/{file_id}`, 'head', await call(begun.url, { method: 'HEAD', token, headers: TUS })), ['Upload-Defer-Length'])
  t.same(missing(`${at}/{file_id}`, 'patch', await sendPiece(begun.url, token, 0, randomContent(5))), [])
  t.same(missing(at, 'options', await call(`${session.url}/uploads`, { method: 'OPTIONS' })), [])
  const download = { path: '/api/session/{id}/download/{file_id}', url: `${session.url}/download/${begun.id}` }
  t.same(missing(download.path, 'get', await call(download.url, { token })), [])
  t.same(missing(download.path, 'get', await call(download.url, { token, headers: { range: 'bytes=0-1' } })), [])
  t.same(missing(download.path, 'head', await call(download.url, { method: 'HEAD', token })), [])
})

t.test('a file in pieces of any size is the same file', async (t) => {
  const { session, token } = await setUp(t)
  const cuts = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 5 * CHUNK + 7]
  const content = randomContent(cuts.reduce((sum, size) => sum + size, 0))
  const upload = await beginUpload(session, token, { 'upload-length': String(content.length), 'upload-metadata': metadata({ filename: 'Übung.bin', filetype: 'application/x-test', other: 'x' }) })
  t.equal(upload.answer.status, 201)
  t.equal(upload.answer.headers.get('tus-resumable'), '1.0.0')
  t.match(upload.answer.headers.get('upload-expires'), /GMT$/)
  let offset = 0
  for (const size of cuts) {
    const { status, headers } = await sendPiece(upload.url, token, offset, content.slice(offset, offset + size))
    offset += size
    t.equal(status, 204)
    t.equal(headers.get('upload-offset'), String(offset))
    const [file = {}] = await listed(session)
    t.equal(file['offset'], offset)
    t.equal(file['state'], offset === content.length ? 'ready' : 'uploading')
  }
  const [file = {}] = await listed(session)
  t.match(file, { file_id: upload.id, filename: 'Übung.bin', size: content.length, sha256: sha256(content), content_type: 'application/x-test' })
  t.equal(await offsetOf(upload.url, token), content.length, 'a finished upload can still be asked for')
  t.equal((await sendPiece(upload.url, token, content.length, new Uint8Array())).status, 204)
  t.equal((await sendPiece(upload.url, token, 0, content)).summary, '409 UPLOAD_OFFSET_MISMATCH')

  const url = `${session.url}/download/${upload.id}`
  t.equal(sha256((await download(url, token)).bytes), sha256(content))
  const edges = [0, 1, CHUNK, 2 * CHUNK, 3 * CHUNK + 1, 5 * CHUNK + 1, content.length - 1].flatMap((edge) => [edge - 1, edge]).filter((edge) => edge >= 0)
  for (const first of edges) {
    for (const last of edges.filter((edge) => edge >= first)) {
      const { bytes } = await download(url, token, { range: `bytes=${first}-${last}` })
      if (!Buffer.from(content.subarray(first, last + 1)).equals(bytes)) t.fail(`bytes=${first}-${last}`)
    }
  }
})

t.test('what the protocol refuses', async (t) => {
  const { session, token } = await setUp(t, { MAX_FILE_SIZE: '1MiB', MAX_SESSION_SIZE: '2MiB', MAX_FILES: '2' })
  const { url } = await beginUpload(session, token, { 'upload-length': '100' })
  const create = (headers: Record<string, string>): Promise<{ summary: string }> => call(`${session.url}/uploads`, { method: 'POST', token, headers: { ...TUS, ...headers } })
  const body = new Blob([new Uint8Array(10)])
  const cases: Record<string, [string, () => Promise<{ summary: string }>]> = {
    'no version': ['412 TUS_VERSION', () => call(`${session.url}/uploads`, { method: 'POST', token, headers: { 'upload-length': '1' } })],
    'another version': ['412 TUS_VERSION', () => call(url, { method: 'PATCH', token, headers: { ...PIECE, 'tus-resumable': '0.2.2', 'upload-offset': '0' }, body })],
    'no length': ['400 INVALID_REQUEST', () => create({})],
    'a length, and a deferred one': ['400 INVALID_REQUEST', () => create({ 'upload-length': '1', 'upload-defer-length': '1' })],
    'parts that were to be joined': ['400 INVALID_REQUEST', () => create({ 'upload-length': '1', 'upload-concat': 'partial' })],
    'a length that is none': ['400 INVALID_REQUEST', () => create({ 'upload-length': '-1' })],
    'over MAX_FILE_SIZE': ['413 FILE_TOO_LARGE', () => create({ 'upload-length': String(2 ** 20 + 1) })],
    'metadata that is no Base64': ['400 INVALID_REQUEST', () => create({ 'upload-length': '1', 'upload-metadata': 'filename ü' })],
    'metadata that is no UTF-8': ['400 INVALID_REQUEST', () => create({ 'upload-length': '1', 'upload-metadata': 'filename /w==' })],
    'a key twice': ['400 INVALID_REQUEST', () => create({ 'upload-length': '1', 'upload-metadata': 'filename YQ==,filename YQ==' })],
    'a digest that is none': ['400 INVALID_REQUEST', () => create({ 'upload-length': '1', 'upload-metadata': metadata({ sha256: 'abc' }) })],
    'a limit that is none': ['400 INVALID_REQUEST', () => create({ 'upload-length': '1', 'upload-metadata': metadata({ max_downloads: '0' }) })],
    'no offset': ['400 INVALID_REQUEST', () => call(url, { method: 'PATCH', token, headers: PIECE, body })],
    'another type': ['415 UNSUPPORTED_MEDIA_TYPE', () => call(url, { method: 'PATCH', token, headers: { ...TUS, 'upload-offset': '0', 'content-type': 'text/plain' }, body })],
    'a later offset': ['409 UPLOAD_OFFSET_MISMATCH', () => sendPiece(url, token, 1, new Uint8Array(10))],
    'more than announced': ['413 UPLOAD_TOO_LONG', () => sendPiece(url, token, 0, new Uint8Array(101))],
    'an unknown algorithm': ['400 CHECKSUM_INVALID', () => sendPiece(url, token, 0, new Uint8Array(10), { 'upload-checksum': 'md5 1B2M2Y8AsgTpgAmY7PhCfg==' })],
    'a digest of another length': ['400 CHECKSUM_INVALID', () => sendPiece(url, token, 0, new Uint8Array(10), { 'upload-checksum': 'sha256 1B2M2Y8AsgTpgAmY7PhCfg==' })],
    'another length than at first': ['400 INVALID_REQUEST', () => sendPiece(url, token, 0, new Uint8Array(10), { 'upload-length': '99' })],
    'an unknown upload': ['404 FILE_NOT_FOUND', () => sendPiece(`${session.url}/uploads/${'0'.repeat(32)}`, token, 0, new Uint8Array(10))],
    'no upload at all': ['404 NOT_FOUND', () => call(url, { token, headers: TUS })]
  }
  for (const [name, [expected, send]] of Object.entries(cases)) t.equal((await send()).summary, expected, name)
  t.equal(await offsetOf(url, token), 0)
  t.equal((await create({ 'upload-length': String(2 ** 20) })).summary, '201')
  t.equal((await create({ 'upload-length': '1' })).summary, '413 TOO_MANY_FILES')
})

t.test('more than announced, without a length of the body, is thrown away', async (t) => {
  const { server, session, token } = await setUp(t)
  const { url } = await beginUpload(session, token, { 'upload-length': String(CHUNK + 5) })
  const piece = openPiece(url, token, 0, { 'transfer-encoding': 'chunked' })
  piece.request.end(randomContent(CHUNK + 6))
  t.match(await piece.answer, { status: 413, body: /UPLOAD_TOO_LONG/ })
  t.equal(await offsetOf(url, token), 0)
  t.same(await blobs(server), [])
})

t.test('a piece that breaks off is kept as far as it came', async (t) => {
  const { server, session, token } = await setUp(t)
  const content = randomContent(3 * CHUNK)
  const upload = await beginUpload(session, token, { 'upload-length': String(content.length) })
  const sent = CHUNK + 12_345
  const piece = openPiece(upload.url, token, 0, { 'content-length': String(content.length) })
  piece.request.write(content.subarray(0, sent))
  await eventually(async () => (await listed(session))[0]?.['offset'] === CHUNK, 10)
  piece.request.destroy()
  await eventually(() => server.app.sessions.transfers.size === 0)
  t.equal(await offsetOf(upload.url, token), sent)
  t.equal((await sendPiece(upload.url, token, sent, content.slice(sent))).status, 204)
  t.equal((await listed(session))[0]?.['sha256'], sha256(content))
  t.equal(sha256((await download(`${session.url}/download/${upload.id}`, token)).bytes), sha256(content))
})

t.test('a newer request takes over from one that hangs, and the two never mix', async (t) => {
  const { session, token } = await setUp(t)
  const content = randomContent(2 * CHUNK)
  const { url, id } = await beginUpload(session, token, { 'upload-length': String(content.length) })
  const hanging = openPiece(url, token, 0, { 'content-length': String(content.length) })
  hanging.request.write(content.subarray(0, CHUNK + 1))
  await eventually(async () => (await listed(session))[0]?.['offset'] === CHUNK, 10)
  t.equal(await offsetOf(url, token), CHUNK + 1)
  t.match(await hanging.answer, { status: 423, body: /UPLOAD_LOCKED/ })

  const rest = content.slice(CHUNK + 1)
  const answers = await Promise.all(Array.from({ length: 5 }, () => sendPiece(url, token, CHUNK + 1, rest)))
  t.equal(answers.filter(({ status }) => status === 204).length, 1, answers.map(({ summary }) => summary).join())
  t.ok(answers.every(({ status }) => [204, 409, 423].includes(status)))
  t.equal(sha256((await download(`${session.url}/download/${id}`, token)).bytes), sha256(content))
})

t.test('a checksum of a piece is verified before the piece counts', async (t) => {
  const { server, session, token } = await setUp(t)
  const content = randomContent(CHUNK + 1)
  const { url } = await beginUpload(session, token, { 'upload-length': String(2 * content.length) })
  const digest = Buffer.from(sha256(content), 'hex').toString('base64')
  const wrong = await sendPiece(url, token, 0, randomContent(content.length), { 'upload-checksum': `sha256 ${digest}` })
  t.equal(wrong.summary, '460 PIECE_CHECKSUM_MISMATCH')
  t.equal(await offsetOf(url, token), 0)
  t.same(await blobs(server), [])
  t.equal((await sendPiece(url, token, 0, content, { 'upload-checksum': `sha256 ${digest}` })).status, 204)
  const sha1 = await crypto.subtle.digest('SHA-1', content)
  t.equal((await sendPiece(url, token, content.length, content, { 'upload-checksum': `sha1 ${Buffer.from(sha1).toString('base64')}` })).status, 204)
  t.equal((await listed(session))[0]?.['sha256'], sha256(Buffer.concat([content, content])))
})

t.test('a digest of the whole file is verified at its end', async (t) => {
  const { server, session, token } = await setUp(t)
  const content = randomContent(CHUNK + 1)
  const wrong = await beginUpload(session, token, { 'upload-length': String(content.length), 'upload-metadata': metadata({ sha256: '0'.repeat(64) }) })
  await sendPiece(wrong.url, token, 0, content.slice(0, 100))
  t.equal((await sendPiece(wrong.url, token, 100, content.slice(100))).summary, '422 CHECKSUM_MISMATCH')
  t.same(await listed(session), [])
  t.same(await blobs(server), [])
  const right = await beginUpload(session, token, { 'upload-length': String(content.length), 'upload-metadata': metadata({ sha256: sha256(content) }) })
  t.equal((await sendPiece(right.url, token, 0, content)).status, 204)
})

t.test('a length that comes later, a first piece with the creation, an empty file', async (t) => {
  const { session, token } = await setUp(t)
  const content = randomContent(CHUNK + 1)
  const deferred = await beginUpload(session, token, { 'upload-defer-length': '1' })
  await sendPiece(deferred.url, token, 0, content)
  const { headers } = await call(deferred.url, { method: 'HEAD', token, headers: TUS })
  t.equal(headers.get('upload-defer-length'), '1')
  t.equal(headers.get('upload-length'), null)
  t.equal((await sendPiece(deferred.url, token, content.length, new Uint8Array(), { 'upload-length': String(content.length) })).status, 204)

  const created = await call(`${session.url}/uploads`, { method: 'POST', token, headers: { ...PIECE, 'upload-length': String(content.length) }, body: new Blob([content.slice(0, 1000)]) })
  t.equal(created.status, 201)
  t.equal(created.headers.get('upload-offset'), '1000')
  await sendPiece(new URL(created.headers.get('location') ?? '', session.url).href, token, 1000, content.slice(1000))

  await beginUpload(session, token, { 'upload-length': '0', 'upload-metadata': metadata({ filename: 'empty' }) })
  const files = await listed(session)
  t.same(files.map(({ state, sha256 }) => [state, sha256]), [content, content, Buffer.alloc(0)].map((bytes) => ['ready', sha256(bytes)]))
})

t.test('an upload belongs to who began it; the creator may remove it', async (t) => {
  const { server, session, token } = await setUp(t)
  const joiner = await joinSession(session)
  const { url, id } = await beginUpload(session, joiner, { 'upload-length': '100' })
  t.equal((await sendPiece(url, token, 0, new Uint8Array(100))).summary, '403 NOT_YOUR_UPLOAD')
  t.equal((await call(url, { method: 'HEAD', token, headers: TUS })).status, 403)
  const hanging = openPiece(url, joiner, 0, { 'content-length': '100' })
  hanging.request.write(new Uint8Array(50))
  await eventually(() => server.app.sessions.transfers.size > 0)
  t.equal((await call(`${session.url}/files/${id}`, { method: 'DELETE', token })).status, 204)
  t.match(await hanging.answer, { status: 423 })
  t.same(await blobs(server), [])
  const other = await beginUpload(session, joiner, { 'upload-length': '100' })
  t.equal((await call(other.url, { method: 'POST', token: joiner, headers: { ...TUS, 'x-http-method-override': 'DELETE' } })).status, 204, 'X-HTTP-Method-Override')
  t.same(await listed(session), [])
})

t.test('types and sizes are checked by what came', async (t) => {
  const { server, session, token } = await setUp(t, { ALLOWED_TYPES: 'image/*', ALLOWED_EXTENSIONS: 'png', MAX_SESSION_SIZE: '100KB' })
  const begin = (name: string, length: number): ReturnType<typeof beginUpload> => beginUpload(session, token, { 'upload-length': String(length), 'upload-metadata': metadata({ filename: name, filetype: 'image/png' }) })
  t.equal((await begin('a.exe', 1)).answer.summary, '415 FILE_TYPE_NOT_ALLOWED')
  const whole = await begin('a.png', 20_000)
  t.equal((await sendPiece(whole.url, token, 0, new Uint8Array(10_000))).summary, '415 FILE_TYPE_NOT_ALLOWED', 'as soon as enough of it is there')
  const trickled = await begin('b.png', 20)
  await sendPiece(trickled.url, token, 0, new Uint8Array(1))
  t.equal((await sendPiece(trickled.url, token, 1, new Uint8Array(19))).summary, '415 FILE_TYPE_NOT_ALLOWED', 'however it was cut')
  t.equal((await begin('c.png', 100_001)).answer.summary, '413 SESSION_SIZE_EXCEEDED')
  t.same(await blobs(server), [])
  t.same(await listed(session), [])
})

for (const how of ['close', 'leave'] as const) {
  t.test(`${how} ends an upload under way`, async (t) => {
    const { server, session } = await setUp(t)
    const joiner = await joinSession(session)
    const { url } = await beginUpload(session, joiner, { 'upload-length': '1000000' })
    const hanging = openPiece(url, joiner, 0, { 'content-length': '1000000' })
    hanging.request.write(randomContent(CHUNK + 1))
    await eventually(async () => (await blobs(server)).length > 0)
    await call(`${session.url}/${how}`, { method: 'POST', token: how === 'close' ? session.token : joiner })
    t.match(await hanging.answer, { status: 409, body: /SESSION_CLOSED/ })
    t.same(await blobs(server), [])
  })
}

t.test('an upload that stalls is ended, and goes on later', async (t) => {
  const { session, token } = await setUp(t, { IDLE_TIMEOUT: '1' })
  const content = randomContent(CHUNK)
  const { url } = await beginUpload(session, token, { 'upload-length': String(content.length) })
  const stalling = openPiece(url, token, 0, { 'content-length': String(content.length) })
  stalling.request.write(content.subarray(0, 1000))
  const trickle = setInterval(() => stalling.request.write(content.subarray(1000, 1000)), 100)
  t.match(await stalling.answer, { status: 408, body: /UPLOAD_STALLED/ })
  clearInterval(trickle)
  t.equal(await offsetOf(url, token), 1000)
  t.equal((await sendPiece(url, token, 1000, content.slice(1000))).status, 204)
})

t.test('what still comes of a piece that was refused in its middle is read, so that its client can read the answer', async (t) => {
  const { server, session, token } = await setUp(t)
  const content = randomContent(8 * 2 ** 20)
  const { url } = await beginUpload(session, token, { 'upload-length': String(content.length) })
  const heard = await listen(session.url, token)
  const socket = connect(Number(new URL(server.origin).port), '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  const head = { ...TUS, host: 'localhost', authorization: `Bearer ${token}`, 'upload-offset': '0', 'content-type': 'application/offset+octet-stream', 'content-length': String(content.length) }
  socket.write(`PATCH ${new URL(url).pathname} HTTP/1.1\r\n${Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`)
  socket.write(content.subarray(0, CHUNK + 1))
  await arrival(heard, 'file.progress')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => { answer += text })
  const answered = once(socket, 'data')
  await call(`${session.url}/close`, { method: 'POST', token })
  await answered

  socket.write(content.subarray(CHUNK + 1))
  await once(socket, 'close')
  t.match(answer, /^HTTP\/1\.1 409 .*"SESSION_CLOSED"/s)
})

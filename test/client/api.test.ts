import t from 'tap'
import { Api } from '../../client/api.js'
import { ClientError, isErrorCode, isSessionGone, isTransient } from '../../client/errors.js'
import { joinSession } from '../../client/join.js'
import { MultipartBody } from '../../client/multipart.js'
import { apiOf, createSession } from '../../client/session.js'
import { toBase64url, toHex, utf8, type Bytes } from '../../lib/crypto/bytes.js'
import { ERRORS } from '../../lib/errors.js'
import { isFileId, isJoinId, isSessionId, type FileId, type JoinId, type SessionId } from '../../lib/ids.js'
import { newFileId, newJoinId } from '../../lib/new-ids.js'
import { PASSWORD } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'
import { failure, inTurn, startStub, type StubAnswer } from './fixtures/stub.js'

const SID = sid('a1b2c3d4')
const JOIN = newJoinId()
const FILE = newFileId()
const TOKEN = toBase64url(new Uint8Array(32).fill(1))
const LIMITS = { max_file_size: 1, max_session_size: 2, max_files: 3, max_joiners: 1, max_downloads: null }
const EXPIRES = '2030-01-01T00:00:00.000Z'
const TIME = { uploaded_at: EXPIRES }
const STATUS = { session_id: SID, status: 'created', kind: 'end-to-end', role: 'creator', participants: [{ role: 'creator', joined_at: EXPIRES }], expires_at: EXPIRES, limits: LIMITS }
const CREATED = { session_id: SID, verification_code: '123456', status: 'created', kind: 'end-to-end', role: 'creator', token: TOKEN, expires_at: EXPIRES, limits: LIMITS }
const PENDING = { join_id: JOIN, status: 'pending', kind: 'end-to-end', token: TOKEN }
const ATTEMPT = { join_id: JOIN, status: 'joined', confirmation: 'ab'.repeat(32), public_key: 'ab'.repeat(65), wrapped_key: toBase64url(new Uint8Array(60)) }
const SEALED = toBase64url(new Uint8Array(620))
const ENTRY = { file_id: FILE, metadata: SEALED, size: 108, uploaded_by: 'joiner', state: 'ready', offset: 108, ...TIME }

function sid (text: string): SessionId {
  if (!isSessionId(text)) throw new Error('no session id')
  return text
}

const codeOf = (error: unknown) => error instanceof ClientError ? error.code : String(error)

/** The code of what a call fails with. */
const failing = async (call: Promise<unknown>): Promise<string> => call.then(() => 'done', codeOf)

t.test('what every request carries, and what it does not', async (t) => {
  const stub = await startStub(t, () => ({ body: STATUS }))
  const status = await new Api({ server: stub.origin }, SID, TOKEN).status()
  t.match(status, { sessionId: SID, kind: 'end-to-end', limits: { maxDownloads: null, maxFiles: 3 } })
  t.same(stub.asked(), [`GET /api/session/${SID}/status`])
  t.equal(stub.requests[0]?.headers.authorization, `Bearer ${TOKEN}`)
  t.equal(stub.requests[0]?.headers.cookie, undefined)
  await t.rejects(new Api({ server: stub.origin }).status(), TypeError, 'an Api without a session has no calls of one')
})

t.test('requests go the way that the connection says', async (t) => {
  const stub = await startStub(t, () => ({ body: STATUS }))
  const urls: string[] = []
  const api = new Api({ server: 'https://box.example/below', fetch: (url, init) => { urls.push(url); return fetch(stub.origin, init) } }, SID, TOKEN)
  await api.status()
  t.same(urls, [`https://box.example/below/api/session/${SID}/status`])
})

t.test('a redirect is refused, and the token goes nowhere else', async (t) => {
  const other = await startStub(t, () => ({ body: STATUS }))
  const stub = await startStub(t, () => ({ status: 307, headers: { location: `${other.origin}/api/session/${SID}/status` } }))
  await t.rejects(new Api({ server: stub.origin }, SID, TOKEN).status(), { code: 'BAD_ANSWER', status: 307, message: /redirects/ })
  t.same(other.asked(), [])
})

t.test('"not now" to a call that may be repeated', async (t) => {
  const stub = await startStub(t, inTurn(failure(503, 'SERVER_BUSY', { 'retry-after': '0' }), failure(429, 'TOO_MANY_REQUESTS', { 'retry-after': new Date().toUTCString() }), { body: STATUS }))
  t.match(await new Api({ server: stub.origin }, SID, TOKEN).status(), { sessionId: SID })
  t.equal(stub.requests.length, 3)

  const busy = await startStub(t, () => failure(503, 'SERVER_BUSY', { 'retry-after': '0' }))
  await t.rejects(new Api({ server: busy.origin }, SID, TOKEN).status(), { code: 'SERVER_BUSY', status: 503, retryAfter: 0 })
  t.equal(busy.requests.length, 4, 'three times, and no more')

  const later = await startStub(t, () => failure(503, 'SERVER_FULL', { 'retry-after': '31' }))
  await t.rejects(new Api({ server: later.origin }, SID, TOKEN).status(), { code: 'SERVER_FULL', retryAfter: 31 })
  t.equal(later.requests.length, 1, 'nobody is kept waiting for longer than 30 s')

  const broken = await startStub(t, () => failure(500, 'INTERNAL', { 'retry-after': '0' }))
  await t.rejects(new Api({ server: broken.origin }, SID, TOKEN).status(), { code: 'INTERNAL' })
  t.equal(broken.requests.length, 1)
})

t.test('the time that Retry-After says is waited, unless the signal fires', async (t) => {
  const stub = await startStub(t, inTurn(failure(503, 'SERVER_BUSY', { 'retry-after': '1' }), { body: STATUS }))
  const began = Date.now()
  await new Api({ server: stub.origin }, SID, TOKEN).status()
  t.ok(Date.now() - began >= 950)

  const busy = await startStub(t, () => failure(503, 'SERVER_BUSY', { 'retry-after': '30' }))
  const controller = new AbortController()
  const reason = new Error('enough')
  setTimeout(() => { controller.abort(reason) }, 100)
  await t.rejects(new Api({ server: busy.origin }, SID, TOKEN).status({ signal: controller.signal }), reason)
  t.equal(busy.requests.length, 1)
  await t.rejects(new Api({ server: busy.origin }, SID, TOKEN).status({ signal: controller.signal }), reason)
  t.equal(busy.requests.length, 1, 'a signal that has fired sends nothing')
})

t.test('what is not to be repeated is not', async (t) => {
  const stub = await startStub(t, () => failure(503, 'SERVER_BUSY', { 'retry-after': '0' }))
  const api = new Api({ server: stub.origin }, SID, TOKEN)
  const calls: Record<string, () => Promise<unknown>> = {
    create: () => api.create({ kind: 'end-to-end' }),
    join: () => api.join('123456', new Uint8Array(65)),
    confirm: () => api.confirm(JOIN, new Uint8Array(32)),
    respond: () => api.respond(JOIN, new Uint8Array(65)),
    accept: () => api.accept(JOIN, new Uint8Array(32), new Uint8Array(60)),
    reject: () => api.reject(JOIN),
    upload: () => api.upload(new MultipartBody()),
    sendPiece: () => api.sendPiece(FILE, 0, new Uint8Array(1))
  }
  for (const [name, call] of Object.entries(calls)) {
    const before = stub.requests.length
    await t.rejects(call(), { code: 'SERVER_BUSY' }, name)
    t.equal(stub.requests.length, before + 1, name)
  }
})

t.test('what an answer without a known code means', async (t) => {
  const cases: ReadonlyArray<readonly [StubAnswer, string]> = [
    [failure(404, 'SESSION_NOT_FOUND'), 'SESSION_NOT_FOUND'],
    [failure(409, '__proto__'), 'BAD_ANSWER'],
    [failure(418, 'TEAPOT'), 'BAD_ANSWER'],
    [failure(404, 'TEAPOT'), 'NOT_FOUND'],
    [{ status: 502, body: '<html>' }, 'NETWORK'],
    [{ status: 504 }, 'NETWORK'],
    [{ status: 401 }, 'UNAUTHORIZED'],
    [{ status: 500, body: { code: 'x'.repeat(100_000) } }, 'INTERNAL'],
    [{ status: 204 }, 'BAD_ANSWER'],
    [{ status: 200, body: '<html>' }, 'BAD_ANSWER'],
    [{ status: 200, body: '[]' }, 'BAD_ANSWER'],
    [{ status: 200, body: 'null' }, 'BAD_ANSWER']
  ]
  for (const [answer, code] of cases) {
    const stub = await startStub(t, () => answer)
    t.equal(await failing(new Api({ server: stub.origin }, SID, TOKEN).status()), code, JSON.stringify(answer).slice(0, 80))
  }
})

t.test('no message says what the server wrote, and the cause holds nothing that a terminal obeys', async (t) => {
  const stub = await startStub(t, () => failure(404, 'SESSION_NOT_FOUND'))
  const error: unknown = await new Api({ server: stub.origin }, SID, TOKEN).status().catch((error: unknown) => error)
  if (!(error instanceof ClientError)) return t.fail('a ClientError')
  t.notMatch(error.message, /what the server writes/)
  t.match(String(error.cause), /what the server writes/)
  t.notOk(String(error.cause).includes('\u001b'))
  return undefined
})

t.test('a connection that is refused, or breaks', async (t) => {
  const gone = await startStub(t, (_, response) => { response.destroy(); return 'handled' })
  t.equal(await failing(new Api({ server: gone.origin }, SID, TOKEN).status()), 'NETWORK')
  t.equal(await failing(new Api({ server: 'http://127.0.0.1:1' }, SID, TOKEN).status()), 'NETWORK')
  const half = await startStub(t, (_, response) => {
    response.writeHead(200, { 'content-length': '1000' }).write('{"session_id"')
    setTimeout(() => response.destroy(), 50)
    return 'handled'
  })
  t.equal(await failing(new Api({ server: half.origin }, SID, TOKEN).status()), 'NETWORK')
})

t.test('an answer without end is not read to the end', async (t) => {
  const stub = await startStub(t, (_, response) => {
    const write = (): void => { while (!response.destroyed && response.write(' '.repeat(65_536))); }
    response.writeHead(200).on('drain', write)
    write()
    return 'handled'
  })
  await t.rejects(new Api({ server: stub.origin }, SID, TOKEN).status(), { code: 'BAD_ANSWER', message: /longer/ })
})

/** An answer, and what to make of it; each change of a field must be noticed, by its name. */
const ANSWERS: ReadonlyArray<{ readonly name: string, readonly status?: number, readonly answer: object, readonly call: (api: Api) => Promise<unknown>, readonly changes: Readonly<Record<string, readonly unknown[]>> }> = [
  {
    name: 'create',
    status: 201,
    answer: CREATED,
    call: (api) => api.create({ kind: 'end-to-end' }),
    changes: {
      session_id: ['A1B2C3D4', 'a1b2c3d', 'a1b2c3d4e', '../a1b2c', 12345678, null, undefined],
      verification_code: ['12345', '1234567', '12345a', 123456, '١٢٣٤٥٦'],
      kind: ['Managed', '', null, ['end-to-end']],
      status: ['joined'],
      role: ['joiner'],
      token: [TOKEN.slice(1), `${TOKEN}A`, `${TOKEN.slice(1)}=`, `${TOKEN.slice(1)}B`, `${TOKEN}\r\nx: y`, null],
      expires_at: ['soon', '2030-13-01T00:00:00Z', '2030-01-01', 0],
      limits: [null, [], {}, { ...LIMITS, max_joiners: -1 }, { ...LIMITS, max_files: 1.5 }, { ...LIMITS, max_file_size: '1' }, { ...LIMITS, max_downloads: undefined }, { ...LIMITS, max_session_size: 2 ** 60 }]
    }
  },
  {
    name: 'join',
    status: 202,
    answer: { ...PENDING, public_key: 'ab'.repeat(65) },
    call: (api) => api.join('123456', new Uint8Array(65)),
    changes: {
      join_id: [JOIN.toUpperCase() === JOIN ? `${JOIN}0` : JOIN.toUpperCase(), JOIN.slice(1), `${JOIN}/../x`, undefined],
      status: ['joined', 'answered'],
      kind: ['both'],
      token: [undefined, ''],
      public_key: ['ab'.repeat(64), 'ab'.repeat(66), 'AB'.repeat(65), null, `${'ab'.repeat(64)}zz`]
    }
  },
  {
    name: 'confirm',
    answer: { status: 'joined', confirmation: 'ab'.repeat(32) },
    call: (api) => api.confirm(JOIN, new Uint8Array(32)),
    changes: { status: ['confirmed'], confirmation: [undefined, 'ab'.repeat(31), 'AB'.repeat(32)] }
  },
  {
    name: 'attempt',
    answer: ATTEMPT,
    call: (api) => api.attempt(JOIN),
    changes: {
      join_id: [newJoinId(), undefined],
      status: ['waiting', '', null, undefined],
      public_key: ['04'],
      confirmation: ['ab'.repeat(33)],
      wrapped_key: [toBase64url(new Uint8Array(59)), toBase64url(new Uint8Array(61)), `${'A'.repeat(79)}=`, 'A'.repeat(10_000)]
    }
  },
  {
    name: 'attempts',
    answer: { joins: [ATTEMPT] },
    call: (api) => api.attempts(),
    changes: { joins: [undefined, null, {}, [null], [{ ...ATTEMPT, status: 'x' }], Array.from({ length: 1001 }, () => ATTEMPT)] }
  },
  {
    name: 'status',
    answer: STATUS,
    call: (api) => api.status(),
    changes: {
      session_id: ['b1b2c3d4'],
      status: ['open'],
      role: ['server'],
      kind: [undefined],
      participants: [null, [{ role: 'server', joined_at: EXPIRES }], [{ role: 'joiner' }]],
      expires_at: [null],
      limits: [undefined]
    }
  },
  {
    name: 'unlock',
    answer: { verification_code: '123456' },
    call: (api) => api.unlock(),
    changes: { verification_code: ['1', undefined] }
  },
  {
    name: 'close',
    answer: { status: 'closed' },
    call: (api) => api.close(),
    changes: { status: ['open'] }
  },
  {
    name: 'files',
    answer: { files: [ENTRY, { ...ENTRY, file_id: newFileId(), state: 'uploading', size: null, offset: 5 }], next_cursor: null },
    call: (api) => api.files(),
    changes: {
      next_cursor: [undefined, 1, '', 'x'.repeat(101)],
      files: [
        undefined, [{ ...ENTRY, file_id: 'x' }], [{ ...ENTRY, metadata: toBase64url(new Uint8Array(619)) }], [{ ...ENTRY, metadata: toBase64url(new Uint8Array(4205)) }],
        [{ ...ENTRY, size: -1 }], [{ ...ENTRY, size: undefined }], [{ ...ENTRY, uploaded_by: 'server' }], [{ ...ENTRY, state: 'done' }], [{ ...ENTRY, offset: null }],
        [{ ...ENTRY, received: '1' }], [{ ...ENTRY, expires_at: 'never' }], [{ ...ENTRY, sha256: 'AB'.repeat(32) }]
      ]
    }
  }
]

for (const { name, status = 200, answer, call, changes } of ANSWERS) {
  t.test(`the answer to ${name}`, async (t) => {
    let body = answer
    const stub = await startStub(t, () => ({ status, body }))
    const api = new Api({ server: stub.origin }, SID, TOKEN)
    t.equal(await failing(call(api)), 'done', 'as it must be')
    for (const [field, values] of Object.entries(changes)) {
      for (const value of values) {
        body = { ...answer, [field]: value }
        const error: unknown = await call(api).catch((error: unknown) => error)
        t.equal(codeOf(error), 'BAD_ANSWER', `${field}: ${JSON.stringify([value]).slice(0, 60)}`)
      }
    }
  })
}

t.test('what is sent, and what comes of it', async (t) => {
  const stub = await startStub(t, ({ path }) => path.endsWith('/create') ? { status: 201, body: { ...CREATED, password_advice: 'add\u001b[2J words' } } : { status: 202, body: path.endsWith('/join') ? PENDING : {} })
  const api = new Api({ server: stub.origin }, SID, TOKEN)
  const created = await api.create({ kind: 'managed', password: 'a password', maxJoiners: 2, expiresIn: 60 })
  t.equal(created.passwordAdvice, 'add\uFFFD[2J words')
  t.same(JSON.parse(stub.requests[0]?.body ?? ''), { kind: 'managed', password: 'a password', max_joiners: 2, expires_in: 60 })
  const share: Bytes = new Uint8Array(65).fill(4)
  t.equal((await api.join('123456', share)).publicKey, undefined)
  t.same(JSON.parse(stub.requests[1]?.body ?? ''), { verification_code: '123456', public_key: toHex(share) })
  t.equal(await api.confirm(JOIN, new Uint8Array(32).fill(5)), undefined, 'an end-to-end session has yet to decide')
  t.same(JSON.parse(stub.requests[2]?.body ?? ''), { confirmation: '05'.repeat(32) })
})

t.test('an upload that can be resumed', async (t) => {
  const answers: Record<string, StubAnswer> = {
    POST: { status: 201, headers: { location: `/somewhere/${FILE}` } },
    HEAD: { status: 200, headers: { 'upload-offset': '5', 'upload-length': '10' } },
    PATCH: { status: 204, headers: { 'upload-offset': '10' } },
    DELETE: { status: 204 }
  }
  const stub = await startStub(t, ({ method }) => answers[method] ?? {})
  const api = new Api({ server: stub.origin }, SID, TOKEN)
  t.equal(await api.beginUpload(10, { file_id: FILE, filename: 'ä?>~' }), FILE)
  t.match(stub.requests[0]?.headers, { 'tus-resumable': '1.0.0', 'upload-length': '10', 'upload-metadata': `file_id ${Buffer.from(FILE).toString('base64')},filename ${Buffer.from('ä?>~').toString('base64')}` })
  t.same(await api.uploadState(FILE), { offset: 5, length: 10 })
  t.equal(await api.sendPiece(FILE, 5, utf8('12345'), { length: 10 }), 10)
  t.match(stub.requests[2], { body: '12345', headers: { 'upload-offset': '5', 'upload-length': '10', 'content-type': 'application/offset+octet-stream' } })
  await api.abandonUpload(FILE)
  t.same(stub.asked(), [`POST /api/session/${SID}/uploads`, ...['HEAD', 'PATCH', 'DELETE'].map((method) => `${method} /api/session/${SID}/uploads/${FILE}`)], 'wherever Location leads')

  answers['HEAD'] = { status: 200, headers: { 'upload-offset': '5', 'upload-defer-length': '1' } }
  t.same(await api.uploadState(FILE), { offset: 5, length: null })
  for (const headers of [{}, { location: `/uploads/${newFileId()}` }, { location: '/uploads/..' }]) {
    answers['POST'] = { status: 201, headers }
    t.equal(await failing(api.beginUpload(10, { file_id: FILE })), 'BAD_ANSWER')
  }
  answers['HEAD'] = { status: 200, headers: { 'upload-offset': '-5', 'upload-length': '10' } }
  t.equal(await failing(api.uploadState(FILE)), 'BAD_ANSWER')
  for (const status of [404, 410]) {
    answers['HEAD'] = { status }
    t.equal(await failing(api.uploadState(FILE)), 'FILE_NOT_FOUND')
  }
})

t.test('a download, and a range of one', async (t) => {
  let answer: StubAnswer = { headers: { etag: '"x"' }, body: 'abcdef' }
  const stub = await startStub(t, () => answer)
  const api = new Api({ server: stub.origin }, SID, TOKEN)
  const read = async (content: AsyncIterable<Uint8Array>) => { let text = ''; for await (const piece of content) text += Buffer.from(piece).toString(); return text }
  const whole = await api.download(FILE)
  t.match(whole, { start: 0, etag: '"x"' })
  t.equal(await read(whole.content), 'abcdef')
  t.equal(stub.requests[0]?.headers.range, undefined)

  answer = { status: 206, headers: { 'content-range': 'bytes 2-3/6' }, body: 'cd' }
  const part = await api.download(FILE, { from: 2, to: 4, ifRange: '"x"' })
  t.match(part, { start: 2, size: 6 })
  t.equal(await read(part.content), 'cd')
  t.match(stub.requests[1]?.headers, { range: 'bytes=2-3', 'if-range': '"x"' })
  t.equal(await failing(api.download(FILE, { from: 1 })), 'BAD_ANSWER', 'another range than the one asked for')
  t.equal(await failing(api.download(FILE)), 'BAD_ANSWER', 'a range that nobody asked for')
  answer = { status: 206, headers: { 'content-range': 'bytes 2-3/*' }, body: 'cd' }
  t.match(await api.download(FILE, { from: 2 }), { start: 2, size: null })
  answer = { headers: { 'content-length': '6', etag: '"y"' }, body: 'abcdef' }
  t.match(await api.download(FILE, { from: 2, ifRange: '"x"' }), { start: 0, size: 6, etag: '"y"' }, 'another file: all of it')

  const many = await api.downloadMany([FILE])
  t.equal(many.size, 6)
  t.same(JSON.parse(stub.requests.at(-1)?.body ?? ''), { file_ids: [FILE] })
})

t.test('with the server: unlock, files, leave and close', async (t) => {
  const { origin } = await startServer(t)
  const { member, verificationCode } = await createSession({ server: origin }, { kind: 'managed', password: PASSWORD })
  const creator = apiOf({ server: origin }, member)
  const code = await creator.unlock()
  t.match(code, /^\d{6}$/)
  if (code !== verificationCode) await t.rejects(new Api({ server: origin }, member.sessionId).join(verificationCode, new Uint8Array(65)), { code: 'JOIN_REFUSED', status: 401 })
  const joined = await joinSession({ server: origin }, { code: `${member.sessionId}-${code}`, password: PASSWORD, kind: 'managed' })
  const joiner = apiOf({ server: origin }, joined.member)

  const form = new MultipartBody()
  form.file('a.txt', 'text/plain', utf8('abcdef'))
  const [file] = await creator.upload(form)
  if (file === undefined) return t.fail('a file')
  t.match(file, { filename: 'a.txt', size: 6, state: 'ready', uploadedBy: 'creator', metadata: undefined })
  await joiner.received([file.fileId])
  t.match(await joiner.files(), { files: [{ fileId: file.fileId, received: 1 }], nextCursor: null })
  await t.rejects(joiner.deleteFile(file.fileId), { code: 'NOT_YOUR_FILE' })
  await creator.deleteFile(file.fileId)
  t.same((await creator.files()).files, [])

  await joiner.leave()
  await t.rejects(joiner.status(), { code: 'UNAUTHORIZED' })
  t.equal((await creator.status()).participants.length, 1)
  await creator.close()
  t.ok(isSessionGone(await creator.status().catch((error: unknown) => error)))
  return undefined
})

t.test('ids and codes are told from what only looks like them', (t) => {
  t.notOk(isErrorCode('toString'))
  t.ok(isErrorCode('SESSION_NOT_FOUND'))
  const ids: readonly [SessionId, JoinId, FileId] = [SID, JOIN, FILE]
  t.same([isSessionId, isJoinId, isFileId].map((is, i) => is(`${ids[i]}\n`)), [false, false, false], 'a line behind it')
  t.end()
})

t.test('whatever makes a server say that it cannot serve now is tried again, but where it wants nobody', (t) => {
  const codes = Object.keys(ERRORS).filter(isErrorCode).filter((code) => ERRORS[code].status === 503)
  t.same(codes.filter((code) => !isTransient(new ClientError(code))), ['SERVER_FULL', 'SERVER_DRAINING'])
  t.end()
})

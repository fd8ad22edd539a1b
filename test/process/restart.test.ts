import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { randomBytes, toHex } from '../../lib/crypto/bytes.js'
import { call, createSession, download, form, joinSession, PASSWORD, randomContent, sha256, uploadFile, type TestSession } from '../helpers/client.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { startServer, temporaryFolder } from '../helpers/server.js'

/** Four chunks, the last one not full. */
const CONTENT = randomContent(3 * 2 ** 18 + 1000)
const DAY = 86_400_000

const newSecret = (): string => toHex(randomBytes(32))

/** A session as the next process has it: on another port. */
const movedTo = ({ origin }: { readonly origin: string }, session: TestSession): TestSession => ({ ...session, url: `${origin}/api/session/${session.id}` })

async function crash ({ child, exit }: ServerProcess): Promise<void> {
  child.kill('SIGKILL')
  await exit
}

const blobs = async (folder: string): Promise<string[]> =>
  (await readdir(join(folder, 'local-send'))).filter((name) => name.endsWith('.lsf'))

/** A session with a joiner and one file. */
async function transferBegun (origin: string, options: object = {}): Promise<{ session: TestSession, joiner: string, fileId: string }> {
  const session = await createSession(origin, { max_joiners: 3, ...options })
  const joiner = await joinSession(session)
  const file = await uploadFile(session, session.token, CONTENT, 'crossing.bin')
  return { session, joiner, fileId: file.file_id }
}

async function checkTransfer (t: Test, session: TestSession, token: string, fileId: string): Promise<void> {
  const status = await call(`${session.url}/status`, { token })
  t.match(status, { status: 200, body: { session_id: session.id, status: 'joined' } })
  const list = await call(`${session.url}/files`, { token })
  t.match(list.body['files'], [{ file_id: fileId, filename: 'crossing.bin', size: CONTENT.length, sha256: sha256(CONTENT) }])
  t.equal(Buffer.compare((await download(`${session.url}/download/${fileId}`, token)).bytes, CONTENT), 0, 'the same bytes')
  const range = await download(`${session.url}/download/${fileId}`, token, { range: 'bytes=262140-262150' })
  t.same([...range.bytes], [...CONTENT.subarray(262140, 262151)])
}

t.test('with a secret, session, tokens and files outlive a crash, and the end of a session does too', async (t) => {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret() }
  const first = await spawnServer(t, environment)
  const { session, joiner, fileId } = await transferBegun(first.origin)
  await crash(first)

  const second = await spawnServer(t, environment)
  const moved = movedTo(second, session)
  for (const token of [session.token, joiner]) await checkTransfer(t, moved, token, fileId)
  const late = await joinSession(moved)
  const answer = await uploadFile(moved, late, randomContent(1000))
  t.equal((await download(`${moved.url}/download/${answer.file_id}`, session.token)).bytes.length, 1000)
  t.equal((await call(`${moved.url}/close`, { method: 'POST', token: session.token })).status, 200)
  await crash(second)

  const third = await spawnServer(t, environment)
  t.equal((await call(`${movedTo(third, session).url}/status`, { token: session.token })).summary, '401 UNAUTHORIZED', 'what was closed stays closed')
  t.same(await blobs(environment.UPLOAD_FOLDER), [])
})

t.test('a resumable upload goes on after a crash', async (t) => {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret() }
  const first = await spawnServer(t, environment)
  const session = await createSession(first.origin)
  const headers = { 'tus-resumable': '1.0.0', authorization: `Bearer ${session.token}` }
  const piece = (url: string, from: number, to: number): Promise<Response> => fetch(url, {
    method: 'PATCH', headers: { ...headers, 'content-type': 'application/offset+octet-stream', 'upload-offset': String(from) }, body: CONTENT.subarray(from, to)
  })
  const created = await fetch(`${session.url}/uploads`, { method: 'POST', headers: { ...headers, 'upload-length': String(CONTENT.length) } })
  const path = created.headers.get('location') ?? ''
  t.equal((await piece(first.origin + path, 0, 300_000)).status, 204)
  await crash(first)

  const second = await spawnServer(t, environment)
  const stands = await fetch(second.origin + path, { method: 'HEAD', headers })
  t.same([stands.status, stands.headers.get('upload-offset')], [200, '300000'])
  t.equal((await piece(second.origin + path, 300_000, CONTENT.length)).status, 204)
  const fileId = path.slice(path.lastIndexOf('/') + 1)
  t.equal(Buffer.compare((await download(`${movedTo(second, session).url}/download/${fileId}`, session.token)).bytes, CONTENT), 0)
})

t.test('wrong tries count across a crash, and so do downloads', async (t) => {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret() }
  const first = await spawnServer(t, environment)
  const { session, fileId } = await transferBegun(first.origin, { max_downloads: 1 })
  const guess = async ({ url }: TestSession): Promise<string> =>
    (await call(`${url}/join`, { method: 'POST', body: { verification_code: session.code, password: 'a wrong password' } })).summary
  for (let i = 0; i < 3; i++) t.equal(await guess(session), '401 JOIN_REFUSED')
  await download(`${session.url}/download/${fileId}`, session.token)
  await crash(first)

  const moved = movedTo(await spawnServer(t, environment), session)
  t.equal((await download(`${moved.url}/download/${fileId}`, session.token)).status, 410)
  t.same([await guess(moved), await guess(moved), await guess(moved)], ['401 JOIN_REFUSED', '401 JOIN_REFUSED', '423 SESSION_LOCKED'])
  t.equal((await call(`${moved.url}/join`, { method: 'POST', body: { verification_code: session.code, password: PASSWORD } })).summary, '423 SESSION_LOCKED')
})

t.test('without a secret, or in memory, sessions and files end with the process', async (t) => {
  for (const settings of [{}, { SESSION_STORE: 'memory', SESSION_KEY_SECRET: newSecret() }]) {
    const environment = { UPLOAD_FOLDER: await temporaryFolder(t), ...settings }
    const first = await spawnServer(t, environment)
    const { session, fileId } = await transferBegun(first.origin)
    await crash(first)
    t.equal((await blobs(environment.UPLOAD_FOLDER)).length, 1)
    const second = await spawnServer(t, environment)
    const moved = movedTo(second, session)
    t.equal((await call(`${moved.url}/status`, { token: session.token })).summary, '401 UNAUTHORIZED')
    t.equal((await download(`${moved.url}/download/${fileId}`, session.token)).status, 401)
    t.same(await blobs(environment.UPLOAD_FOLDER), [])
  }
})

t.test('another secret, or none, starts nothing and removes nothing', async (t) => {
  const folder = await temporaryFolder(t)
  const secret = newSecret()
  const first = await spawnServer(t, { UPLOAD_FOLDER: folder, SESSION_KEY_SECRET: secret })
  const { session, joiner, fileId } = await transferBegun(first.origin)
  await crash(first)
  const other = newSecret()
  for (const environment of [{ SESSION_KEY_SECRET: other }, {}]) {
    const refused = await spawnServer(t, { UPLOAD_FOLDER: folder, LOG_LEVEL: 'trace', ...environment })
    t.equal(await refused.exit, 1)
    t.match(refused.output(), /^local-send cannot start: SESSION_KEY_SECRET must be the one .*\.\n$/)
    t.notOk([secret, other].some((text) => refused.output().includes(text)), 'nor tells one')
  }
  const again = await spawnServer(t, { UPLOAD_FOLDER: folder, SESSION_KEY_SECRET: secret })
  await checkTransfer(t, movedTo(again, session), joiner, fileId)
})

t.test('nothing in the whole folder can be read', async (t) => {
  const folder = await temporaryFolder(t)
  const secret = newSecret()
  const server = await spawnServer(t, { UPLOAD_FOLDER: folder, SESSION_KEY_SECRET: secret })
  const { session, joiner } = await transferBegun(server.origin)
  await uploadFile(session, joiner, new TextEncoder().encode('a plaintext that no disk may hold'), 'a-telling-name.txt')
  await crash(server)
  const entries = await readdir(join(folder, 'local-send'), { recursive: true, withFileTypes: true })
  const content = Buffer.concat(await Promise.all(entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name)))))
  t.ok(content.includes(`sealed:${session.id}`), 'the record is there')
  const hashes = [session.token, joiner].map((token) => sha256(Buffer.from(token, 'base64url')))
  for (const canary of ['crossing.bin', 'a-telling-name', 'a plaintext that no disk', PASSWORD, session.token, joiner, ...hashes, secret]) t.notOk(content.includes(canary), canary)
  t.notOk(content.includes(Buffer.from(secret, 'hex')))
})

t.test('a session that expired while nobody was there is swept at start, with its files', async (t) => {
  const folder = await temporaryFolder(t)
  const environment = { UPLOAD_FOLDER: folder, SESSION_STORE: 'embedded', SESSION_KEY_SECRET: newSecret() }
  const first = await startServer(t, environment)
  const expired = await transferBegun(first.origin)
  const living = await transferBegun(first.origin)
  await first.app.close()
  t.equal((await blobs(folder)).length, 2, 'a graceful stop leaves them')

  const soon = await startServer(t, environment)
  const moved = movedTo(soon, living.session)
  await checkTransfer(t, moved, living.joiner, living.fileId)
  await soon.app.close()
  t.equal((await blobs(folder)).length, 2)

  const late = await startServer(t, environment, { clock: () => Date.now() + DAY })
  t.same(await blobs(folder), [], 'before anybody has asked')
  const kept: string[] = []
  for await (const { id } of late.app.sessions.all()) kept.push(id)
  t.same(kept, [])
  t.equal((await call(`${movedTo(late, expired.session).url}/status`, { token: expired.session.token })).summary, '401 UNAUTHORIZED')
})

t.test('what is stored counts against the limits after a restart too, once', async (t) => {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_STORE: 'embedded', SESSION_KEY_SECRET: newSecret(), MAX_STORAGE: '1000' }
  const first = await startServer(t, environment)
  const full = await createSession(first.origin)
  await uploadFile(full, full.token, randomContent(900))
  const expired = await createSession(first.origin, { expires_in: 60 })
  await uploadFile(expired, expired.token, randomContent(100))
  await first.app.close()

  const second = await startServer(t, environment, { clock: () => Date.now() + 61_000 })
  const moved = movedTo(second, full)
  const upload = async (size: number): Promise<string> => (await call(`${moved.url}/upload`, { method: 'POST', token: full.token, body: form({ content: randomContent(size) }) })).summary
  t.equal(await upload(101), '507 STORAGE_FULL')
  t.equal(await upload(100), '201', 'what expired makes room')
  t.equal(await upload(1), '507 STORAGE_FULL')
  await call(`${moved.url}/close`, { method: 'POST', token: full.token })
  const next = await createSession(second.origin)
  await uploadFile(next, next.token, randomContent(1000))
  t.equal((await call(`${next.url}/upload`, { method: 'POST', token: next.token, body: form({ content: randomContent(1) }) })).summary, '507 STORAGE_FULL')
})

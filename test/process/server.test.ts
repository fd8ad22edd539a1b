import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { randomBytes, toHex } from '../../lib/crypto/bytes.js'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import { call, createSession, download, joinSession, PASSWORD, randomContent, uploadFile, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { spawnServer } from '../helpers/process.js'
import { connectTo, postHead } from '../helpers/raw.js'
import { temporaryFolder } from '../helpers/server.js'

const BOUNDARY = 'boundary'

/** Begins an upload that never ends, and waits until something of it lies in the folder. */
async function beginUpload (origin: string, { id, token }: TestSession, folder: string): Promise<{ ended: Promise<unknown>, answer: () => string }> {
  const before = (await blobs(folder)).length
  const socket = await connectTo(origin)
  let answer = ''
  socket.setEncoding('latin1').on('error', () => {}).on('data', (text: string) => { answer += text })
  const ended = new Promise((resolve) => { socket.once('close', resolve) })
  socket.write(postHead(`/api/session/${id}/upload`, {
    authorization: `Bearer ${token}`, 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': 50_000_000
  }))
  socket.write(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n`)
  socket.write(randomContent(3_000_000))
  await eventually(async () => (await blobs(folder)).length !== before)
  return { ended, answer: () => answer }
}

const blobs = async (folder: string): Promise<string[]> =>
  (await readdir(join(folder, 'local-send'))).filter((name) => name.endsWith('.lsf'))

t.test('what cannot start says why in one sentence', async (t) => {
  const folder = await temporaryFolder(t)
  const running = await spawnServer(t, { UPLOAD_FOLDER: folder })
  const port = new URL(running.origin).port
  const cases: Array<[Record<string, string>, RegExp]> = [
    [{ MAX_FILE_SIZE: 'huge' }, /^local-send cannot start: MAX_FILE_SIZE must be a size such as .*, not "huge"\.\n$/],
    [{ SESSION_KEY_SECRET: 'too-short' }, /^local-send cannot start: SESSION_KEY_SECRET must be at least 32 random bytes in hex or base64, as "openssl rand -hex 32" prints them\.\n$/],
    [{ PORT: '70000' }, /^local-send cannot start: PORT must be a whole number from 0 to 65535, not "70000"\.\n$/],
    [{ TRUST_PROXY: '0.0.0.0/0' }, /^local-send cannot start: TRUST_PROXY must not trust a range as wide as .*\n$/],
    [{ UPLOAD_FOLDER: folder }, /^local-send cannot start: UPLOAD_FOLDER: another server is using .*\n$/],
    [{ UPLOAD_FOLDER: '/dev/null' }, /^local-send cannot start: UPLOAD_FOLDER: \/dev\/null\/local-send cannot be made, or not be written to \(ENOTDIR\)\. .*\n$/],
    [{ METRICS_PORT: port }, /^local-send cannot start: METRICS_PORT: another program listens at port \d+ of .*\n$/],
    [{ HOST: '192.0.2.1' }, /^local-send cannot start: HOST: this machine has no address 192\.0\.2\.1\.\n$/],
    [{ UPLOAD_FOLDER: await temporaryFolder(t), PORT: port }, /^.*local-send cannot start: PORT: another program listens at port \d+ of .*\n$/s]
  ]
  for (const [environment, expected] of cases) {
    const server = await spawnServer(t, { UPLOAD_FOLDER: join(folder, 'other'), LOG_LEVEL: 'silent', ...environment })
    t.equal(await server.exit, 1)
    t.match(server.output(), expected)
  }
})

t.test('SIGTERM ends what is under way, removes the files and exits with 0', async (t) => {
  const folder = await temporaryFolder(t)
  const server = await spawnServer(t, { UPLOAD_FOLDER: folder })
  const session = await createSession(server.origin)
  await uploadFile(session, session.token, randomContent(1_000_000))
  const upload = await beginUpload(server.origin, session, folder)
  server.child.kill('SIGTERM')
  t.equal(await server.exit, 0)
  await upload.ended
  t.match(upload.answer(), /^HTTP\/1\.1 503.*"SERVER_STOPPING"/s)
  t.same(await blobs(folder), [])
})

t.test('after SIGKILL the next start takes the folder at once and removes only what is ours', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await spawnServer(t, { UPLOAD_FOLDER: folder })
  const session = await createSession(first.origin)
  await uploadFile(session, session.token, randomContent(1_000_000))
  await beginUpload(first.origin, session, folder)
  const foreign = ['notes.txt', 'local-send/notes.txt', 'local-send/12345678-abc-0.lsf', 'local-send/12345678-abc.lsf.bak']
  for (const name of foreign) await writeFile(join(folder, name), 'keep me')
  await mkdir(join(folder, 'local-send', 'folder'))
  first.child.kill('SIGKILL')
  await first.exit
  t.equal((await blobs(folder)).length, 3)

  const second = await spawnServer(t, { UPLOAD_FOLDER: folder })
  t.same(await blobs(folder), ['12345678-abc-0.lsf'])
  t.same((await readdir(join(folder, 'local-send'))).sort(), ['12345678-abc-0.lsf', '12345678-abc.lsf.bak', 'folder', 'lock', 'notes.txt', 'sessions'])
  t.equal((await call(`${second.origin}/api/session/${session.id}/status`, { token: session.token })).summary, '401 UNAUTHORIZED')
})

t.test('the log of a whole run, at its most talkative, holds no secret', async (t) => {
  const folder = await temporaryFolder(t)
  const key = toHex(randomBytes(32))
  const server = await spawnServer(t, { UPLOAD_FOLDER: folder, LOG_LEVEL: 'trace', SESSION_KEY_SECRET: key })
  const created = await call(`${server.origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD, max_joiners: 3 } })
  const id = String(created.body['session_id'])
  const session = { id, code: String(created.body['verification_code']), token: String(created.body['token']), url: `${server.origin}/api/session/${id}` }
  const joiner = await joinSession(session)
  const canary = 'a plaintext that no log may hold'
  const file = await uploadFile(session, joiner, new TextEncoder().encode(canary), 'secret-name.txt')
  await download(`${session.url}/download/${file.file_id}`, session.token)

  const share = toHex(joinerShare(passwordElement(new Uint8Array(32).fill(9))).share)
  const pending = await call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, public_key: share } })
  const confirmation = 'ab'.repeat(32)
  await call(`${session.url}/joins/${String(pending.body['join_id'])}/confirm`, { method: 'POST', token: String(pending.body['token']), body: { confirmation } })
  await call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, password: 'a wrong password' } })
  await call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, password: 'a password', and: 'more' } })
  await call(`${session.url}/join`, { method: 'POST', body: `{"password":"${PASSWORD}"`, headers: { 'content-type': 'application/json' } })
  await call(`${session.url}/status`, { headers: { cookie: `local_send_creator=${session.token}` } })
  await call(`${session.url}/status`, { token: 'a-forged-token' })
  await call(`${session.url}/close`, { method: 'POST', token: session.token })
  server.child.kill('SIGTERM')
  await server.exit

  const log = server.output()
  t.match(log, `/api/session/${id}/status`, 'the log does tell what was called')
  const secrets = { PASSWORD, key, token: session.token, joiner, code: session.code, canary, pending: String(pending.body['token']), share, confirmation, forged: 'a-forged-token', wrong: 'a wrong password', other: 'a password', publicKey: String(created.body['public_key']) }
  for (const [name, secret] of Object.entries(secrets)) {
    // Six digits may stand in a time or a length by chance: only as a value of their own they are the code.
    t.notOk(name === 'code' ? new RegExp(`["' ]${secret}["' ]`).test(log) : log.includes(secret), name)
  }
})

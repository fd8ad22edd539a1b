import { Writable } from 'node:stream'
import t from 'tap'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import { toHex } from '../../lib/crypto/bytes.js'
import { call, createSession, download, joinSession, PASSWORD, randomContent, uploadFile } from '../helpers/client.js'
import { letIn, createEndToEnd, sealedUploadHeaders, sealFile, uploadSealed } from '../helpers/end-to-end.js'
import { eventually } from '../helpers/events.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { newSecret } from '../helpers/restart.js'
import { startServer, temporaryFolder } from '../helpers/server.js'

const ADMIN_TOKEN = 'admin-token-that-nobody-guesses'
const METRICS_TOKEN = 'metrics-token-that-nobody-guesses'
const WEBHOOK = { WEBHOOK_URL: 'http://127.0.0.1:9/hook?key=hook-key-not-for-logs', WEBHOOK_SECRET: 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' }
const WRONG_PASSWORD = 'a wrong password that was tried'

type Line = Readonly<Record<string, unknown>>

const linesOf = ({ output }: ServerProcess): Line[] => output().split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Line)

const auditOf = (server: ServerProcess, sessionId: string): Line[] =>
  linesOf(server).filter(({ audit, session_id: id }) => audit === true && id === sessionId)

const stateless = ({ level: _level, time: _time, pid: _pid, hostname: _hostname, reqId: _reqId, msg: _msg, audit: _audit, seconds: _seconds, join_id: _joinId, session_id: _id, ...said }: Line): Line => said

t.test('audit lines say what happened and from where; at level trace nothing secret is in the log', async (t) => {
  const secret = newSecret()
  const server = await spawnServer(t, {
    UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: secret, LOG_LEVEL: 'trace', NODE_ENV: 'production', MAX_JOIN_ATTEMPTS: '2', ADMIN_TOKEN, METRICS_TOKEN, ...WEBHOOK
  })
  const { origin } = server
  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const { file_id: fileId } = await uploadFile(session, session.token, randomContent(300_000), 'a-telling-name.txt')
  await download(`${session.url}/download/${fileId}`, joiner)
  const guessed = await createSession(origin, { max_joiners: 2 })
  const join = async (body: object): Promise<Line> => (await call(`${guessed.url}/join`, { method: 'POST', body })).body
  await join({ verification_code: guessed.code, password: WRONG_PASSWORD })
  const share = toHex(joinerShare(passwordElement(new Uint8Array(32).fill(7))).share)
  const { join_id: joinId, token: pending } = await join({ verification_code: guessed.code, public_key: share })
  await call(`${guessed.url}/joins/${String(joinId)}/confirm`, { method: 'POST', token: String(pending), body: { confirmation: '00'.repeat(32) } })
  await join({ verification_code: guessed.code, password: PASSWORD })
  await call(`${origin}/api/admin/sessions/${guessed.id}`, { method: 'DELETE', token: ADMIN_TOKEN })
  await call(`${origin}/api/admin/totals`, { token: 'a wrong admin token' })
  await call(`${origin}/metrics`, { token: METRICS_TOKEN })

  const endToEnd = await createEndToEnd(origin)
  const other = await letIn(endToEnd)
  const sealed = await sealFile(randomContent(1000))
  await uploadSealed(endToEnd, endToEnd.token, sealed)
  await call(`${session.url}/uploads`, { method: 'POST', token: session.token, headers: { 'tus-resumable': '1.0.0', 'upload-length': '3', 'upload-metadata': `filename ${Buffer.from('another-telling-name').toString('base64')}` } })
  await call(`${session.url}/close`, { method: 'POST', token: session.token })
  await eventually(() => auditOf(server, session.id).length === 4)

  const address = '127.0.0.1'
  const kind = 'managed'
  t.same(auditOf(server, session.id).map(stateless), [
    { event: 'session.created', kind, address },
    { event: 'join.started', kind, address },
    { event: 'join.succeeded', kind, address },
    { event: 'session.ended', kind, address, reason: 'closed' }
  ])
  t.same(auditOf(server, guessed.id).map(stateless), [
    { event: 'session.created', kind, address },
    { event: 'join.started', kind, address },
    { event: 'join.refused', kind, address, reason: 'password', failed_attempts: 1, max_attempts: 2 },
    { event: 'join.started', kind, address },
    { event: 'join.refused', kind, address, reason: 'password', failed_attempts: 2, max_attempts: 2 },
    { event: 'session.locked', kind, address, failed_attempts: 2, max_attempts: 2 },
    { event: 'join.refused', kind, address, reason: 'locked', failed_attempts: 2, max_attempts: 2 },
    { event: 'session.ended', kind, address, reason: 'revoked' }
  ])
  t.match(linesOf(server).filter(({ event }) => event === 'operator.refused').map(stateless), [{ area: 'admin', address }])
  const [created] = auditOf(server, session.id)
  t.equal(linesOf(server).find(({ reqId, msg }) => reqId === created?.['reqId'] && msg === 'incoming request')?.['msg'], 'incoming request', 'an audit line leads to its request')

  server.child.kill('SIGTERM')
  t.equal(await server.exit, 0)
  const log = server.output()
  t.ok(log.includes('"level":20'), 'it is all there')
  const secrets = {
    secret,
    ADMIN_TOKEN,
    METRICS_TOKEN,
    WRONG_PASSWORD,
    PASSWORD,
    webhook: 'hook-key-not-for-logs',
    webhookSecret: WEBHOOK.WEBHOOK_SECRET.slice(6),
    adminGuess: 'a wrong admin token',
    creator: session.token,
    joiner,
    pending: String(pending),
    endToEnd: endToEnd.token,
    other,
    fileName: 'a-telling-name',
    tusName: Buffer.from('another-telling-name').toString('base64'),
    tusNameClear: 'another-telling-name',
    share,
    metadata: sealedUploadHeaders(sealed)['upload-metadata'] ?? '',
    confirmation: '00'.repeat(32)
  }
  for (const [what, text] of Object.entries(secrets)) t.notOk(text === '' || log.includes(text), what)
  // Six digits may stand in any number: as a word of its own a code is one.
  for (const { code } of [session, guessed, endToEnd]) t.notMatch(log, new RegExp(`(?<![\\w.-])${code}(?![\\w.-])`))
})

t.test('a LOG_LEVEL that leaves requests out keeps audit lines; silent leaves out everything', async (t) => {
  for (const [level, expected] of [['fatal', ['session.created', 'session.ended']], ['silent', []]] as const) {
    let written = ''
    const stream = new Writable({
      write (line: Buffer, _encoding, done) {
        written += line.toString()
        done()
      }
    })
    const { origin } = await startServer(t, { LOG_LEVEL: level }, { logger: { level, stream } })
    const session = await createSession(origin)
    t.equal((await call(`${session.url}/close`, { method: 'POST', token: session.token })).status, 200)
    const lines = written.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Line)
    t.match(lines, expected.map((event) => ({ level: 30, audit: true, event, session_id: session.id, address: '127.0.0.1', reqId: String })), level)
    t.equal(lines.length, expected.length, level)
  }
})

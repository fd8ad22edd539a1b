/** Instances as processes of their own, with one Redis and one folder: any of them serves any request. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { randomBytes, toHex } from '../../lib/crypto/bytes.js'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import { call, createSession, download, joinSession, PASSWORD, randomContent, uploadFile, type Answer, type TestSession } from '../helpers/client.js'
import { arrival, eventually, listen } from '../helpers/events.js'
import { sharedSettings, startInstances } from '../helpers/instances.js'
import { spawnServer } from '../helpers/process.js'
import { TestRedis } from '../helpers/redis.js'
import { blobs, crash, movedTo } from '../helpers/restart.js'
import { needs } from '../helpers/services.js'
import { arrived, beginUpload, offsetOf, openPiece, sendPiece } from '../helpers/tus.js'

/** More than a chunk, so that some of it has arrived for all to see. */
const PIECE = 300_000
const CHUNK = 2 ** 18
/** How many answers there are of each kind. */
const tally = (answers: readonly Answer[]): Record<string, number> => {
  const counts: Record<string, number> = {}
  for (const { summary } of answers) counts[summary] = (counts[summary] ?? 0) + 1
  return counts
}

const close = ({ url, token }: TestSession): Promise<Answer> => call(`${url}/close`, { method: 'POST', token })

if (await needs(t, 'redis')) {
  const redis = await TestRedis.start(t)
  const settings = await sharedSettings(t, redis)
  const [a, b, c] = await startInstances(t, settings, 3)
  if (a === undefined || b === undefined || c === undefined) throw new Error('there are three')
  const three = [a, b, c]
  const at = (i: number, session: TestSession): TestSession => movedTo(three[i % 3] ?? a, session)

  t.test('what is created at one is joined, used, heard and closed at others', async (t) => {
    const session = await createSession(a.origin)
    const heard = await listen(at(0, session).url, session.token)
    const joiner = await joinSession(at(1, session))
    await arrival(heard, 'join.joined')
    const content = randomContent(PIECE)
    const file = await uploadFile(at(2, session), joiner, content)
    await arrival(heard, 'file.ready')
    t.equal(Buffer.compare((await download(`${at(0, session).url}/download/${file.file_id}`, session.token)).bytes, content), 0)
    const resumed = await listen(at(1, session).url, session.token, heard.events[0]?.id)
    await arrival(resumed, 'file.ready')
    t.same(resumed.events, heard.events.slice(1), 'who comes back elsewhere hears the rest')
    t.equal((await close(at(2, session))).status, 200)
    await arrival(heard, 'session.closed')
    t.equal((await call(`${at(0, session).url}/status`, { token: session.token })).summary, '401 UNAUTHORIZED')
    t.same(await blobs(settings['UPLOAD_FOLDER'] ?? ''), [])
  })

  t.test('exactly as many attempts as there may be, under 200 at once everywhere', async (t) => {
    const session = await createSession(a.origin)
    const wrong = passwordElement(randomBytes(32))
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => call(`${at(i, session).url}/join`, {
      method: 'POST',
      body: { verification_code: session.code, public_key: toHex(joinerShare(wrong).share) }
    })))
    t.same(tally(answers), { 202: 5, '429 ATTEMPTS_PENDING': 195 })
    const begun = answers.filter(({ status }) => status === 202)
    const confirmed = await Promise.all(begun.map(({ body }, i) => call(`${at(i, session).url}/joins/${String(body['join_id'])}/confirm`, { method: 'POST', token: String(body['token']), body: { confirmation: toHex(randomBytes(32)) } })))
    t.same(tally(confirmed), { '401 JOIN_REFUSED': 5 })
    for (const i of [0, 1, 2]) t.equal((await call(`${at(i, session).url}/join`, { method: 'POST', body: { verification_code: session.code, password: PASSWORD } })).summary, '423 SESSION_LOCKED')
  })

  t.test('exactly as many downloads as there may be, under 200 at once everywhere', async (t) => {
    const session = await createSession(a.origin, { max_downloads: 7 })
    const file = await uploadFile(session, session.token, randomContent(1000))
    const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => call(`${at(i, session).url}/download/${file.file_id}`, { token: session.token })))
    t.same(tally(answers), { 200: 7, '410 DOWNLOADS_USED_UP': 193 })
  })

  t.test('the end of a session ends its transfers in all instances', async (t) => {
    const session = await createSession(a.origin)
    const { url, id } = await beginUpload(at(1, session), session.token, { 'upload-length': String(10 * PIECE) })
    const piece = openPiece(url, session.token, 0, { 'content-length': String(10 * PIECE) })
    piece.request.write(randomContent(PIECE))
    await arrived(at(1, session), id, CHUNK)
    await close(at(2, session))
    t.match(await piece.answer, { status: 409, body: /SESSION_CLOSED/ })
  })

  t.test('an upload goes on where it stopped, at another instance; a follower at a third reads along', async (t) => {
    const session = await createSession(a.origin)
    const content = randomContent(3 * PIECE)
    const { url, id } = await beginUpload(at(0, session), session.token, { 'upload-length': String(content.length) })
    const onAt = (i: number): string => `${at(i, session).url}/uploads/${id}`
    const following = download(`${at(2, session).url}/download/${id}`, session.token)
    t.equal((await sendPiece(url, session.token, 0, content.slice(0, PIECE))).status, 204)
    t.equal((await sendPiece(onAt(1), session.token, PIECE, content.slice(PIECE, 2 * PIECE))).status, 204)
    t.equal(await offsetOf(onAt(2), session.token), 2 * PIECE)
    t.equal((await sendPiece(onAt(0), session.token, 2 * PIECE, content.slice(2 * PIECE))).status, 204)
    t.equal(Buffer.compare((await download(`${at(1, session).url}/download/${id}`, session.token)).bytes, content), 0)
    t.equal(Buffer.compare((await following).bytes, content), 0, 'and who reads along has the same')
  })

  t.test('an instance that froze over a piece and woke changes nothing of what its successor wrote', async (t) => {
    const session = await createSession(a.origin)
    const content = randomContent(2 * PIECE)
    const { id } = await beginUpload(session, session.token, { 'upload-length': String(content.length) })
    const onAt = (i: number): string => `${at(i, session).url}/uploads/${id}`
    const frozen = openPiece(onAt(1), session.token, 0, { 'content-length': String(content.length) })
    frozen.request.write(randomContent(PIECE))
    await arrived(at(1, session), id, CHUNK)
    b.child.kill('SIGSTOP')
    t.equal(await offsetOf(onAt(2), session.token), 0)
    t.equal((await sendPiece(onAt(2), session.token, 0, content.slice(0, PIECE))).status, 204)
    frozen.request.end(randomContent(PIECE))
    b.child.kill('SIGCONT')
    t.equal((await frozen.answer).status, 423, 'it is told that it was too late')
    t.equal((await sendPiece(onAt(0), session.token, PIECE, content.slice(PIECE))).status, 204)
    for (const i of [0, 1, 2]) t.equal(Buffer.compare((await download(`${at(i, session).url}/download/${id}`, session.token)).bytes, content), 0)
  })

  t.test('what an instance was doing when it was killed, another one does', async (t) => {
    const extra = await spawnServer(t, settings)
    const session = await createSession(extra.origin)
    const content = randomContent(2 * PIECE)
    const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(content.length) })
    t.equal((await sendPiece(url, session.token, 0, content.slice(0, PIECE))).status, 204)
    const cut = openPiece(url, session.token, PIECE)
    cut.request.write(randomContent(PIECE))
    await arrived(session, id, PIECE + CHUNK)
    await crash(extra)
    const moved = `${at(0, session).url}/uploads/${id}`
    t.equal(await offsetOf(moved, session.token), PIECE, 'every byte that was acknowledged, and none that was not')
    t.equal((await sendPiece(moved, session.token, PIECE, content.slice(PIECE))).status, 204)
    t.equal(Buffer.compare((await download(`${at(1, session).url}/download/${id}`, session.token)).bytes, content), 0)
    const other = await spawnServer(t, settings)
    t.equal(Buffer.compare((await download(`${movedTo(other, session).url}/download/${id}`, session.token)).bytes, content), 0, 'a new instance removes nothing that others use')
    other.child.kill('SIGTERM')
    t.equal(await other.exit, 0)
    t.equal((await call(`${at(0, session).url}/status`, { token: session.token })).status, 200, 'and its end ends no session')
  })

  t.test('requests are counted by all instances together', async (t) => {
    const few = await startInstances(t, { ...settings, RATE_LIMIT_CREATE: '3', RATE_LIMIT_WINDOW: '600' }, 2)
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => call(`${few[i % 2]?.origin ?? ''}/api/session/create`, { method: 'POST', body: { kind: 'end-to-end' } })))
    t.ok((tally(answers)['429 TOO_MANY_REQUESTS'] ?? 0) >= 5)
  })

  t.test('without Redis requests fail at once and clearly, and succeed when it is back', async (t) => {
    const session = await createSession(a.origin)
    for (const [stop, start] of [[() => redis.kill(), () => redis.start()], [() => { redis.freeze() }, () => { redis.thaw() }]] as const) {
      await stop()
      const status = await call(`${at(1, session).url}/status`, { token: session.token })
      t.equal(status.summary, '503 STORE_UNAVAILABLE')
      t.equal(status.headers.get('retry-after'), '5')
      t.equal((await call(`${b.origin}/health/ready`)).summary, '503 STORE_UNAVAILABLE')
      t.equal((await call(`${b.origin}/health/live`)).status, 200)
      await start()
      await eventually(async () => (await call(`${b.origin}/health/ready`)).status === 200, 50)
      t.equal((await call(`${at(1, session).url}/status`, { token: session.token })).status, 200)
    }
  })

  t.test('another secret starts nothing, and an instance that does not share stays out of the folder', async (t) => {
    const refused = await spawnServer(t, { ...settings, SESSION_KEY_SECRET: toHex(randomBytes(32)) })
    t.equal(await refused.exit, 1)
    t.match(refused.output(), /^local-send cannot start: SESSION_KEY_SECRET must be the one .*\.\n$/)
    const alone = await spawnServer(t, { UPLOAD_FOLDER: settings['UPLOAD_FOLDER'] ?? '' })
    t.equal(await alone.exit, 1)
    t.match(alone.output(), /another server is using/)
    t.notOk((await readdir(join(settings['UPLOAD_FOLDER'] ?? '', 'local-send'))).includes('sessions'))
  })

  t.test('several workers share one port, one that dies is replaced, and all stop together', async (t) => {
    const server = await spawnServer(t, { ...settings, WORKERS: '2' })
    const listening = (): number[] => server.output().split('\n').filter((line) => line.includes('listening')).map((line) => Number(/"pid":(\d+)/.exec(line)?.[1]))
    await eventually(() => listening().length >= 2, 20)
    const session = await createSession(server.origin)
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(`${session.url}/status`, { token: session.token })))
    t.same(tally(answers), { 200: 20 })
    process.kill(listening()[0] ?? 0, 'SIGKILL')
    await eventually(() => listening().length >= 3, 20)
    t.match(server.output(), /a worker ended \(SIGKILL\); another one starts in 500 ms/)
    t.equal((await call(`${session.url}/status`, { token: session.token })).status, 200)
    server.child.kill('SIGTERM')
    t.equal(await server.exit, 0)
    const refused = await spawnServer(t, { WORKERS: '2', UPLOAD_FOLDER: settings['UPLOAD_FOLDER'] ?? '' })
    t.equal(await refused.exit, 1)
    t.match(refused.output(), /^local-send cannot start: WORKERS must be 1 unless SESSION_STORE is redis/)
  })
}

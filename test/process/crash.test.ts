import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { call, createSession, download, joinSession, PASSWORD, randomContent, uploadFile, type TestSession } from '../helpers/client.js'
import { createEndToEnd, letIn, sealedUploadHeaders, sealFile, uploadSealed } from '../helpers/end-to-end.js'
import { eventually } from '../helpers/events.js'
import { spawnServer } from '../helpers/process.js'
import { blobs, checkTransfer, CONTENT, crash, movedTo, newSecret, transferBegun } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { arrived, beginUpload, checksumOf, offsetOf, openPiece, sendPiece } from '../helpers/tus.js'

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

t.test('a piece with a checksum that a crash interrupts leaves nothing', async (t) => {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret() }
  const first = await spawnServer(t, environment)
  const session = await createSession(first.origin)
  const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(CONTENT.length) })
  await sendPiece(url, session.token, 0, CONTENT.slice(0, 1000))
  const { request } = openPiece(url, session.token, 1000, { 'content-length': String(CONTENT.length - 1000), ...checksumOf(CONTENT.subarray(1000)) })
  request.write(CONTENT.subarray(1000, 600_000))
  const part = join(environment.UPLOAD_FOLDER, 'local-send', `${session.id}-${id}-1.lsf`)
  await eventually(async () => existsSync(part) && (await stat(part)).size >= 2 * 2 ** 18)
  await crash(first)
  request.destroy()

  const moved = movedTo(await spawnServer(t, environment), session)
  t.equal(await offsetOf(`${moved.url}/uploads/${id}`, session.token), 1000)
  t.notOk(existsSync(part))
  t.equal((await sendPiece(`${moved.url}/uploads/${id}`, session.token, 1000, CONTENT.slice(1000))).status, 204)
  t.equal(Buffer.compare((await download(`${moved.url}/download/${id}`, session.token)).bytes, CONTENT), 0)
})

t.test('an end-to-end session outlives a crash without any secret, and its uploads go on', async (t) => {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t) }
  const first = await spawnServer(t, environment)
  const session = await createEndToEnd(first.origin)
  const joiner = await letIn(session)
  const whole = await sealFile(CONTENT)
  t.equal((await uploadSealed(session, session.token, whole)).status, 201)
  const sealed = await sealFile(CONTENT)
  const { url } = await beginUpload(session, session.token, sealedUploadHeaders(sealed))
  t.equal((await sendPiece(url, session.token, 0, sealed.container.slice(0, 1000))).status, 204)
  const { request } = openPiece(url, session.token, 1000, { 'content-length': String(sealed.container.length - 1000) })
  request.write(sealed.container.subarray(1000, 400_000))
  await arrived(session, sealed.fileId, 400_000)
  await crash(first)
  request.destroy()

  const moved = movedTo(await spawnServer(t, environment), session)
  t.equal(Buffer.compare((await download(`${moved.url}/download/${whole.fileId}`, joiner)).bytes, whole.container), 0)
  const stands = await offsetOf(`${moved.url}/uploads/${sealed.fileId}`, session.token)
  t.equal(stands, 400_000, 'what had been written is there, told or not')
  t.equal((await sendPiece(`${moved.url}/uploads/${sealed.fileId}`, session.token, stands, sealed.container.slice(stands))).status, 204)
  t.equal(Buffer.compare((await download(`${moved.url}/download/${sealed.fileId}`, joiner)).bytes, sealed.container), 0)
  t.match((await call(`${moved.url}/joins`, { token: session.token })).body, { joins: [{ status: 'joined' }] }, 'the joiner can still learn what he was accepted with')
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

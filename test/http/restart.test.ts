import t from 'tap'
import { call, createSession, form, randomContent, uploadFile } from '../helpers/client.js'
import { blobs, checkTransfer, movedTo, newSecret, transferBegun } from '../helpers/restart.js'
import { startServer, temporaryFolder } from '../helpers/server.js'

const DAY = 86_400_000

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

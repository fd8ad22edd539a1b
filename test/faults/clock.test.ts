import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { call, createSession, download, joinSession, randomContent, sha256, uploadFile } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'
import { beginUpload, sendPiece } from '../helpers/tus.js'

const DAY = 86_400_000

t.test('a clock that jumps back ends nothing, and one that jumps ahead only what its time is over for', async (t) => {
  let jump = 0
  const { app, origin, folder } = await startServer(t, { MAX_SESSION_AGE: '172800', SESSION_TIMEOUT: '172800' }, { clock: () => Date.now() + jump })
  const session = await createSession(origin, { max_joiners: 3 })
  const joiner = await joinSession(session)
  const content = randomContent(600_000)
  const { file_id: fileId } = await uploadFile(session, session.token, content)
  const { url } = await beginUpload(session, session.token, { 'upload-length': '30' })
  const piece = randomContent(10)

  for (const [i, days] of [-30, 0, 1].entries()) {
    jump = days * DAY
    t.equal(await app.sessions.sweep(), 0, `${days} days`)
    t.equal((await sendPiece(url, session.token, 10 * i, piece)).status, 204)
    t.equal(sha256((await download(`${session.url}/download/${fileId}`, joiner)).bytes), sha256(content))
    if (i > 0) await joinSession(session)
    const other = await createSession(origin)
    t.equal((await call(`${other.url}/status`, { token: other.token })).status, 200)
    t.equal((await call(`${other.url}/close`, { method: 'POST', token: other.token })).status, 200)
  }
  t.equal((await call(`${session.url}/status`, { token: joiner })).status, 200)

  jump = 3 * DAY
  t.equal(await app.sessions.sweep(), 1)
  jump = 0
  t.equal((await call(`${session.url}/status`, { token: joiner })).status, 401, 'what has ended stays ended')
  t.same((await readdir(join(folder, 'local-send'))).filter((name) => name.endsWith('.lsf')), [])
  t.equal(app.storageQuota.total, 0)
})

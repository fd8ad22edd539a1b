import t from 'tap'
import { call, createSession, download, randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { spawnServer } from '../helpers/process.js'
import { crash, movedTo, newSecret } from '../helpers/restart.js'
import { emptied, PART, startS3 } from '../helpers/s3.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { arrived, beginUpload, offsetOf, openPiece, sendPiece } from '../helpers/tus.js'

t.test('a server that keeps its files in object storage', async (t) => {
  if (!await needs(t, 'swift')) return
  const s3 = await startS3(t)
  const environment = { ...s3.environment, UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret() }

  t.test('is killed in the middle of a piece, and goes on from what it had told', async (t) => {
    const first = await spawnServer(t, environment)
    const session = await createSession(first.origin)
    const content = randomContent(6 * PART)
    const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(content.length) })
    const piece = openPiece(url, session.token, 0, { 'content-length': String(content.length) })
    piece.request.write(content.subarray(0, 5 * PART + 2 ** 19))
    await arrived(session, id, 4 * PART)
    await eventually(async () => (await s3.uploads()).length > 0)
    await crash(first)
    piece.request.destroy()

    const moved = movedTo(await spawnServer(t, environment), session)
    t.same(await s3.uploads(), [], 'what can never be finished is ended at the start')
    const resumed = `${moved.url}/uploads/${id}`
    const offset = await offsetOf(resumed, session.token)
    t.ok(offset >= 4 * PART && offset < 5 * PART, `it stands at ${offset}`)
    t.equal((await sendPiece(resumed, session.token, offset, content.slice(offset))).status, 204)
    t.equal(sha256((await download(`${moved.url}/download/${id}`, session.token)).bytes), sha256(content))
    await call(`${moved.url}/close`, { method: 'POST', token: session.token })
    await emptied(t, s3)
  })

  t.test('does not start where the bucket cannot be used, says why, and no secret', async (t) => {
    const wrong = { ...environment, UPLOAD_FOLDER: await temporaryFolder(t), LOG_LEVEL: 'trace' }
    for (const [name, change, said] of [
      ['no such bucket', { S3_BUCKET: 'there-is-none' }, /S3_BUCKET cannot be used: .*404/],
      ['a wrong secret', { AWS_SECRET_ACCESS_KEY: 'a-secret-of-ours' }, /S3_BUCKET cannot be used: .*403/],
      ['nobody there', { S3_ENDPOINT: 'http://127.0.0.1:9' }, /S3_BUCKET cannot be used: .*ECONNREFUSED/]
    ] as const) {
      const { exit, output, origin } = await spawnServer(t, { ...wrong, ...change })
      t.equal(origin, '')
      t.equal(await exit, 1, name)
      t.match(output(), said)
      t.notMatch(output(), /a-secret-of-ours|testing|Signature=/)
    }
  })
})

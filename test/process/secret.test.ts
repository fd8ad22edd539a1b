import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { call, download, PASSWORD, sha256, uploadFile } from '../helpers/client.js'
import { spawnServer } from '../helpers/process.js'
import { blobs, checkTransfer, crash, movedTo, newSecret, transferBegun } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'

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

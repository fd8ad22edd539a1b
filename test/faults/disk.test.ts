/** A disk that is full, forbidden or gone while the server runs: clear errors, nothing acknowledged lost, and all as before when it is back. */

import t, { type Test } from 'tap'
import { call, createSession, download, form, joinSession, PASSWORD, randomContent, sha256, uploadFile, type Answer } from '../helpers/client.js'
import { newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { beginUpload, offsetOf, sendPiece } from '../helpers/tus.js'
import { spawnMounted, type Mounted } from './mounted.js'

const MIB = 2 ** 20

interface Fault {
  readonly begin: string
  readonly end: string
  /** What an upload is answered meanwhile. */
  readonly uploads: string
}

const FAULTS: Readonly<Record<string, Fault>> = {
  full: { begin: 'cat /dev/zero > "$1/filler" 2>/dev/null; test -s "$1/filler"', end: 'rm "$1/filler"', uploads: '507 STORAGE_FULL' },
  forbidden: { begin: 'chmod 500 "$1/local-send"', end: 'chmod 700 "$1/local-send"', uploads: '503 STORAGE_UNAVAILABLE' },
  gone: { begin: 'mv "$1/local-send" "$1/elsewhere"', end: 'mv "$1/elsewhere" "$1/local-send"', uploads: '503 STORAGE_UNAVAILABLE' }
}

const blobs = async ({ inside }: Mounted): Promise<string[]> => (await inside('ls "$1/local-send"')).split('\n').filter((name) => name.endsWith('.lsf'))

for (const [name, fault] of Object.entries(FAULTS)) {
  t.test(`a disk that is ${name} for a while`, async (t) => {
    if (!await needs(t, 'namespaces')) return
    const server = await spawnMounted(t, '24m', { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), MIN_FREE_SPACE: '1' })
    await survives(t, server, fault)
  })
}

async function survives (t: Test, server: Mounted, { begin, end, uploads }: Fault): Promise<void> {
  const { origin, inside } = server
  const session = await createSession(origin)
  const whole = randomContent(MIB)
  const { file_id: wholeId } = await uploadFile(session, session.token, whole)
  const content = randomContent(3 * MIB)
  const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(content.length) })
  t.equal((await sendPiece(url, session.token, 0, content.slice(0, MIB))).status, 204)
  const create = (): Promise<Answer> => call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD } })

  await inside(begin)
  for (let i = 0; i < 3; i++) {
    t.equal((await sendPiece(url, session.token, MIB, content.slice(MIB))).summary, uploads)
    const refused = await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form({ content: randomContent(MIB) }) })
    t.equal(refused.summary, uploads)
    t.ok(Number(refused.headers.get('retry-after')) > 0)
  }
  t.equal((await call(`${origin}/health/live`)).status, 200)
  t.match((await create()).summary, /^(?:201|503 STORE_UNAVAILABLE)$/)

  await inside(end)
  t.ok(await offsetOf(url, session.token) >= MIB, 'what was acknowledged is there')
  const offset = await offsetOf(url, session.token)
  t.equal((await sendPiece(url, session.token, offset, content.slice(offset))).status, 204)
  const joiner = await joinSession(session)
  t.equal(sha256((await download(`${session.url}/download/${id}`, joiner)).bytes), sha256(content))
  t.equal(sha256((await download(`${session.url}/download/${wholeId}`, joiner)).bytes), sha256(whole))
  t.equal((await create()).status, 201)
  t.equal((await call(`${session.url}/close`, { method: 'POST', token: session.token })).status, 200)
  t.same(await blobs(server), [], 'nothing is left behind')
}

import t from 'tap'
import { randomBytes, toHex } from '../../lib/crypto/bytes.js'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import { call, createSession, download, form, joinSession, PASSWORD, randomContent, uploadFile } from '../helpers/client.js'
import { createEndToEnd, sealedForm, sealFile } from '../helpers/end-to-end.js'
import { newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { beginUpload, sendPiece } from '../helpers/tus.js'
import { spawnWatched } from './event-loop.js'

/** Milliseconds of the processor's time that one turn may take. */
const LIMIT = 50
const FILES = 10_000
const IN_ONE_REQUEST = 500
const MIB = 2 ** 20

/** What is refused shows nothing of what it would have cost. */
async function done (answer: Promise<{ readonly status: number }>): Promise<void> {
  const { status } = await answer
  if (status >= 300) throw new Error(`the answer was ${status}`)
}

t.test('no request keeps the event loop from the others', async (t) => {
  const tokens = { ADMIN_TOKEN: newSecret(), METRICS_TOKEN: newSecret() }
  const server = await spawnWatched(t, { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), RATE_LIMIT_CREATE: '100000', RATE_LIMIT_JOIN: '100000', RATE_LIMIT_TOKEN: '1000000', MAX_FILES: '20000', ...tokens })
  const { origin } = server
  const session = await createSession(origin, { max_joiners: 20 })
  const joiner = await joinSession(session)
  const { token } = session
  const big = await uploadFile(session, token, randomContent(32 * MIB))
  const content = randomContent(10)
  for (let at = 0; at < FILES; at += IN_ONE_REQUEST) {
    await done(call(`${session.url}/upload`, { method: 'POST', token, body: form(...Array.from({ length: IN_ONE_REQUEST }, () => ({ content }))) }))
  }
  const sealed = await createEndToEnd(origin)
  const sealedFiles = await Promise.all(Array.from({ length: IN_ONE_REQUEST }, () => sealFile(content)))
  const element = passwordElement(randomBytes(32))
  const operator = (path: string, operatorToken: string): Promise<unknown> => done(call(`${origin}${path}`, { token: operatorToken }))
  for (let i = 0; i < 1000; i++) await createEndToEnd(origin)

  const requests: Record<string, () => Promise<unknown>> = {
    'create, with the longest password': () => done(call(`${origin}/api/session/create`, { method: 'POST', body: { password: 'aA1!'.repeat(256) } })),
    'join by password': () => joinSession(session),
    'join by SPAKE2': () => done(call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, public_key: toHex(joinerShare(element).share) } })),
    'list of 10 000 files': () => done(call(`${session.url}/files`, { token })),
    'status of 10 000 files': () => done(call(`${session.url}/status`, { token })),
    'download of 32 MiB': () => done(download(`${session.url}/download/${big.file_id}`, joiner)),
    'archive of 10 000 files': () => done(download(`${session.url}/archive`, joiner)),
    // The garbage of several is collected at once.
    'archives of 10 000 files in a row': async () => { for (let i = 0; i < 8; i++) await done(download(`${session.url}/archive`, joiner)) },
    'upload of 32 MiB': () => done(call(`${session.url}/upload`, { method: 'POST', token, body: form({ content: randomContent(32 * MIB) }) })),
    'upload of 500 sealed files': () => done(call(`${sealed.url}/upload`, { method: 'POST', token: sealed.token, body: sealedForm(...sealedFiles) })),
    'a resumable upload of 32 MiB': async () => {
      const { url } = await beginUpload(session, token, { 'upload-length': String(32 * MIB) })
      await done(sendPiece(url, token, 0, randomContent(32 * MIB)))
    },
    'a body of JSON as large as may be': () => call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD, junk: '['.repeat(15_000) } }),
    'the same, nested': () => call(`${origin}/api/session/create`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '['.repeat(8000) + ']'.repeat(8000) }),
    'names of the longest kind': () => done(call(`${session.url}/upload`, { method: 'POST', token, body: form({ content, name: '.'.repeat(16_000) }) })),
    'the list of sessions': () => operator('/api/admin/sessions', tokens.ADMIN_TOKEN),
    metrics: () => operator('/metrics', tokens.METRICS_TOKEN),
    'the documentation': () => done(call(`${origin}/docs/json`)),
    'close of 10 000 files': () => done(call(`${session.url}/close`, { method: 'POST', token }))
  }
  await server.longestTurn()
  for (const [name, request] of Object.entries(requests)) {
    await request()
    const turn = await server.longestTurn()
    t.ok(turn < LIMIT, `${name}: ${turn.toFixed(1)} ms`)
  }
})

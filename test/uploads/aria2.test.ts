import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { createSession, joinSession, randomContent } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { ARIA2, needs } from '../helpers/services.js'
import { beginUpload, sendPiece } from '../helpers/tus.js'

const CHUNK = 2 ** 18
const run = promisify(execFile)

t.test('a download manager fetches a file of several parts over eight connections', async (t) => {
  if (!await needs(t, 'aria2')) return
  const { app, origin } = await startServer(t)
  const session = await createSession(origin)
  const cuts = [1, CHUNK - 1, 3 * CHUNK + 17, 5 * 2 ** 20, 2 * CHUNK, 7 * 2 ** 20 + 333]
  const content = randomContent(cuts.reduce((sum, size) => sum + size, 0))
  const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(content.length) })
  let offset = 0
  for (const size of cuts) {
    t.equal((await sendPiece(url, session.token, offset, content.slice(offset, offset + size))).status, 204)
    offset += size
  }

  let open = 0
  let atOnce = 0
  app.server.on('request', (_request: IncomingMessage, response: ServerResponse) => {
    open += 1
    atOnce = Math.max(atOnce, open)
    response.once('close', () => { open -= 1 })
  })
  const folder = await temporaryFolder(t)
  // The token goes by a file, for which the command line has no eyes.
  const input = join(folder, 'input')
  await writeFile(input, `${session.url}/download/${id}\n  header=Authorization: Bearer ${await joinSession(session)}\n  out=received\n`)
  // Unhurried, so that no part is over before all connections are open.
  await run(ARIA2, ['--max-overall-download-limit=6M', '-x8', '-s8', '-k1M', '--no-conf', '--console-log-level=warn', `--dir=${folder}`, `--input-file=${input}`])
  t.ok((await readFile(join(folder, 'received'))).equals(content), 'identical')
  t.equal(atOnce, 8)
})

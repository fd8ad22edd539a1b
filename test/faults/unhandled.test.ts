import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { spawnServer } from '../helpers/process.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'

const REJECTION = 'process.on("SIGWINCH", () => { Promise.reject(new Error("nobody waits for this")) })'

t.test('a rejection that nobody waits for ends the server, and is in its log', async (t) => {
  const server = await spawnServer(t, { UPLOAD_FOLDER: await temporaryFolder(t) }, { program: [`--import=data:text/javascript,${encodeURIComponent(REJECTION)}`, projectPath('dist/server.js')] })
  server.child.kill('SIGWINCH')
  t.equal(await server.exit, 1)
  t.match(server.output(), /nobody waits for this/)
})

t.test('and it fails a test', async (t) => {
  const script = 'import t from "tap"; t.pass("all is well"); Promise.reject(new Error("nobody waits for this"))'
  const said = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', script], { cwd: projectPath('.'), env: { PATH: process.env['PATH'] } })
    .catch((error: unknown) => error instanceof Error && 'stdout' in error ? String(error.stdout) : '')
  t.match(said, /not ok 2 - nobody waits for this/)
})

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import '../helpers/plain-children.js'
import { projectPath } from '../helpers/project.js'
import { startServer } from '../helpers/server.js'

const run = promisify(execFile)
const EXAMPLE = projectPath('examples/node/hand-over.js')

t.test('the example of the client library hands a text and a file over', async (t) => {
  const { origin } = await startServer(t)
  const { stdout } = await run(process.execPath, [EXAMPLE, origin])
  t.match(stdout, /^code: [0-9a-f]{8}-\d{6}-\w+-\w+-\w+$/m)
  t.match(stdout, /^bob has .*: 11 bytes, all verified$/m)
  t.match(stdout, /^bob has sevens\.bin: 1000000 bytes, all verified$/m)
  const verifiers = [...stdout.matchAll(/sees the verifier ((?:[0-9a-f]{4} ?){4})$/gm)].map(([, verifier]) => verifier)
  t.equal(verifiers.length, 2)
  t.equal(verifiers[0], verifiers[1])
})

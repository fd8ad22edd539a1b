import { execFile, spawn } from 'node:child_process'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { promisify } from 'node:util'
import t from 'tap'
import { PASSWORD, randomContent, sha256 } from '../helpers/client.js'
import { projectPath } from '../helpers/project.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs, PYTHON } from '../helpers/services.js'

const SCRIPT = projectPath('examples/python/transfer.py')
const run = promisify(execFile)
const environment = (origin: string, password = PASSWORD): NodeJS.ProcessEnv => ({ LOCAL_SEND_SERVER: origin, LOCAL_SEND_PASSWORD: password })

t.test('a file goes there and back and is the same', async (t) => {
  if (!await needs(t, 'httpx')) return
  const { origin } = await startServer(t)
  for (const [name, size] of [['document.pdf', 5 * 2 ** 18 + 12_345], ['Übersicht “März” 1.pdf', 2 ** 18], ['empty.pdf', 0]] as const) {
    const cwd = await temporaryFolder(t)
    const content = randomContent(size)
    await writeFile(join(cwd, name), content)

    const { stdout } = await run(PYTHON, [SCRIPT, ...name === 'document.pdf' ? [] : [name]], { cwd, env: environment(origin) })
    t.match(stdout, /^session [0-9a-f]{8}, code [0-9]{6}$/m)
    t.match(stdout, `${size} bytes`)
    t.notMatch(stdout, PASSWORD)
    const received = await readdir(join(cwd, 'received'))
    t.equal(received.length, 1, 'the file, and no partial one')
    t.equal(sha256(await readFile(join(cwd, 'received', received[0] ?? ''))), sha256(content), `${name}, ${size} bytes`)
  }
})

t.test('a file that is there already stays as it is', async (t) => {
  if (!await needs(t, 'httpx')) return
  const { origin } = await startServer(t)
  const cwd = await temporaryFolder(t)
  await writeFile(join(cwd, 'document.pdf'), 'new')
  await mkdir(join(cwd, 'received'))
  await writeFile(join(cwd, 'received', 'document.pdf'), 'old')
  await t.rejects(run(PYTHON, [SCRIPT], { cwd, env: environment(origin) }), { code: 1, stderr: /is there already/ })
  t.same(await readdir(join(cwd, 'received')), ['document.pdf'])
  t.equal(await readFile(join(cwd, 'received', 'document.pdf'), 'utf8'), 'old')
})

t.test('what goes wrong is said in one sentence', async (t) => {
  if (!await needs(t, 'httpx')) return
  const { origin } = await startServer(t, { MAX_FILE_SIZE: '1MiB' })
  const cwd = await temporaryFolder(t)
  await t.rejects(run(PYTHON, [SCRIPT, 'missing.pdf'], { cwd, env: environment(origin) }), { code: 1, stderr: /^FileNotFoundError: .*missing\.pdf/ })
  await writeFile(join(cwd, 'large.pdf'), randomContent(2 ** 20 + 1))
  await t.rejects(run(PYTHON, [SCRIPT, 'large.pdf'], { cwd, env: environment(origin) }), { code: 1, stderr: /^The file is larger than this server accepts\./ })
  await t.rejects(run(PYTHON, [SCRIPT, 'large.pdf'], { cwd, env: environment(origin, 'short') }), { code: 1, stderr: /^The password must be/ })
  await t.rejects(run(PYTHON, [SCRIPT, 'large.pdf'], { cwd, env: environment('http://127.0.0.1:1') }), { code: 1, stderr: /^ConnectError/ })
})

t.test('the password is asked for where it is not in the environment, and is no argument', async (t) => {
  if (!await needs(t, 'httpx')) return
  const { origin } = await startServer(t)
  const cwd = await temporaryFolder(t)
  await writeFile(join(cwd, 'document.pdf'), 'content')
  // In a session of its own (detached) it has no terminal, and getpass reads the standard input.
  const child = spawn(PYTHON, [SCRIPT, '--server', origin], { cwd, env: {}, detached: true })
  child.stdin.end(`${PASSWORD}\n`)
  t.match(await text(child.stdout), /^received received/m)
  const { stdout } = await run(PYTHON, [SCRIPT, '--help'], { env: {} })
  t.notMatch(stdout, '--password')
})

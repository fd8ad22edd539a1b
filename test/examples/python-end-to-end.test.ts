import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { PASSWORD, randomContent, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { projectPath } from '../helpers/project.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs, PYTHON } from '../helpers/services.js'

const SCRIPT = projectPath('examples/python/end_to_end.py')

export interface Sender {
  /** All lines so far. */
  readonly output: () => string
  /** As the receiver types it. */
  readonly code: string
  /** Exit code, once it has ended. */
  readonly exit: Promise<number>
}

interface Settings {
  readonly origin: string
  readonly cwd: string
  readonly password?: string
}

const environment = ({ origin, cwd, password }: Settings): NodeJS.ProcessEnv =>
  ({ LOCAL_SEND_SERVER: origin, XDG_STATE_HOME: join(cwd, 'state'), PYTHONDONTWRITEBYTECODE: '1', ...(password !== undefined && { LOCAL_SEND_PASSWORD: password }) })

/** Starts `send` and waits for its code. */
async function send (t: Test, settings: Settings, ...args: string[]): Promise<Sender> {
  const child = spawn(PYTHON, [SCRIPT, 'send', ...args], { cwd: settings.cwd, env: environment(settings), stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const exit = once(child, 'exit').then(([code]: Array<number | null>) => code ?? -1)
  let output = ''
  let ended = false
  exit.finally(() => { ended = true }).catch(() => {})
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', (line) => { output += `${line}\n` })
  await eventually(() => ended || /^code .*\n/m.test(output))
  const [, code = ''] = /^code (\S+?)(?:,|$)/m.exec(output) ?? []
  return { output: () => output, code, exit }
}

const receive = (settings: Settings, code: string, ...args: string[]): Promise<{ stdout: string, stderr: string }> =>
  promisify(execFile)(PYTHON, [SCRIPT, 'receive', code, ...args], { cwd: settings.cwd, env: environment(settings) })

async function digests (folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  for (const name of (await readdir(folder)).sort()) found[name] = sha256(await readFile(join(folder, name)))
  return found
}

/** One in a form, one by tus, of several chunks, and one of nothing. */
const FILES = { 'empty.bin': randomContent(0), 'large.bin': randomContent(9 * 2 ** 18 + 12_345), 'small “März”.txt': randomContent(2 ** 18) }

async function writeFiles (folder: string): Promise<Record<string, string>> {
  await mkdir(folder)
  for (const [name, content] of Object.entries(FILES)) await writeFile(join(folder, name), content)
  return digests(folder)
}

t.test('files go from Python to Python, and are the same', async (t) => {
  if (!await needs(t, 'cryptography')) return
  const { origin } = await startServer(t)
  const settings = { origin, cwd: await temporaryFolder(t), password: PASSWORD }
  const sent = await writeFiles(join(settings.cwd, 'sent'))
  const sender = await send(t, settings, ...Object.keys(sent).map((name) => join('sent', name)))
  const { stdout } = await receive(settings, sender.code)
  t.same(await digests(join(settings.cwd, 'received')), sent)
  t.equal(await sender.exit, 0, sender.output())
  const verifiers = [stdout, sender.output()].map((text) => /verifier ([0-9a-f]{4}(?: [0-9a-f]{4}){3})$/m.exec(text)?.[1])
  t.equal(verifiers[0], verifiers[1])
  t.notMatch(stdout + sender.output(), PASSWORD)
  t.same(await readdir(join(settings.cwd, 'state/local-send-python')), [], 'no guess is left over')
})

t.test('a generated password travels in the code', async (t) => {
  if (!await needs(t, 'cryptography')) return
  const { origin } = await startServer(t)
  const settings = { origin, cwd: await temporaryFolder(t) }
  await writeFile(join(settings.cwd, 'file.txt'), 'content')
  await writeFile(join(settings.cwd, 'words.txt'), wordlist.join('\n'))
  const sender = await send(t, settings, '--words', 'words.txt', 'file.txt')
  t.match(sender.code, /^[0-9a-f]{8}-\d{6}-[a-z]+-[a-z]+-[a-z]+$/)
  await receive(settings, ` ${sender.code.toUpperCase().replaceAll('-', ' ')}`)
  t.equal(await readFile(join(settings.cwd, 'received/file.txt'), 'utf8'), 'content')
  t.equal(await sender.exit, 0)
})

t.test('a wrong password is told to both, and the right one may follow', async (t) => {
  if (!await needs(t, 'cryptography')) return
  const { origin } = await startServer(t)
  const settings = { origin, cwd: await temporaryFolder(t), password: PASSWORD }
  await writeFile(join(settings.cwd, 'file.txt'), 'content')
  const sender = await send(t, settings, 'file.txt')
  await t.rejects(receive({ ...settings, password: 'another password' }, sender.code), { code: 1, stderr: /password was wrong/ })
  t.same((await readdir(settings.cwd)).includes('received'), false)
  await receive(settings, sender.code)
  t.equal(await sender.exit, 0)
  t.match(sender.output(), /^refused a joiner: a wrong password$/m)
})

t.test('after five wrong passwords neither side goes on', async (t) => {
  if (!await needs(t, 'cryptography')) return
  const { origin } = await startServer(t)
  const settings = { origin, cwd: await temporaryFolder(t), password: PASSWORD }
  await writeFile(join(settings.cwd, 'file.txt'), 'content')
  const sender = await send(t, settings, 'file.txt')
  for (let attempt = 1; attempt <= 5; attempt++) await t.rejects(receive({ ...settings, password: `not it, ${attempt}` }, sender.code), { code: 1, stderr: /password was wrong/ })
  t.equal(await sender.exit, 1)
  t.match(sender.output(), /has guessed at the password/)
})

t.test('nothing is overwritten, and no link is followed out of the folder', async (t) => {
  if (!await needs(t, 'cryptography')) return
  const { origin } = await startServer(t)
  const settings = { origin, cwd: await temporaryFolder(t), password: PASSWORD }
  await writeFile(join(settings.cwd, 'file.txt'), 'new')
  await writeFile(join(settings.cwd, 'link.txt'), 'new')
  await mkdir(join(settings.cwd, 'received'))
  await writeFile(join(settings.cwd, 'received/file.txt'), 'old')
  await symlink(join(settings.cwd, 'outside.txt'), join(settings.cwd, 'received/link.txt'))
  const sender = await send(t, settings, 'file.txt', 'link.txt')
  await t.rejects(receive(settings, sender.code), { code: 1, stderr: /Not everything could be received/ })
  t.equal(await readFile(join(settings.cwd, 'received/file.txt'), 'utf8'), 'old')
  t.same((await readdir(join(settings.cwd, 'received'))).sort(), ['file.txt', 'link.txt'])
  t.notOk((await readdir(settings.cwd)).includes('outside.txt'))
})

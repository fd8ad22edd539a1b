/** Processes of one account in one session, whose folders go when one of them is done with them. */

import { execFile } from 'node:child_process'
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { againIfRemoved } from '../../cli/state/again-if-removed.js'
import { guessCounter } from '../../cli/state/guess-counter.js'
import { StateFolder } from '../../cli/state/state-folder.js'
import type { DeriveW } from '../../lib/crypto/password.js'
import { isSessionId } from '../../lib/ids.js'
import { projectPath } from '../helpers/project.js'
import { temporaryFolder } from '../helpers/server.js'

const ROUNDS = 100
const AT_ONCE = [0, 1, 2, 3]

const sessionId = '0123abcd'
if (!isSessionId(sessionId)) throw new TypeError('it is one')
const derive: DeriveW = () => Promise.resolve(new Uint8Array(32).fill(1))
const owner = { sessionId, role: 'joiner', passphrase: 'absent-mango-river', derive } as const

t.before(async () => { process.env['XDG_STATE_HOME'] = await temporaryFolder(t) })
t.teardown(() => { delete process.env['XDG_STATE_HOME'] })

t.test('a guess is written down while the folder of guesses goes', async (t) => {
  await Promise.all(AT_ONCE.map(async () => {
    for (let i = 0; i < ROUNDS; i++) {
      const { onGuess } = await guessCounter(sessionId)
      await onGuess(1)
      await onGuess(0)
    }
  }))
  t.equal((await guessCounter(sessionId)).count, 0)
})

t.test('a count of long ago goes when another one is written', async (t) => {
  const folder = join(process.env['XDG_STATE_HOME'] ?? '', 'local-send', 'guesses')
  await mkdir(folder, { recursive: true })
  const long = new Date(Date.now() - 31 * 86_400_000)
  for (const name of ['0000000a', '0000000b']) await writeFile(join(folder, name), '1')
  await utimes(join(folder, '0000000a'), long, long)
  const { onGuess } = await guessCounter(sessionId)
  await onGuess(1)
  t.same((await readdir(folder)).sort(), ['0000000b', sessionId])
  await onGuess(0)
})

t.test('where nothing can be kept, it is said how to have it kept elsewhere', async (t) => {
  const before = process.env['XDG_STATE_HOME'] ?? ''
  t.teardown(() => { process.env['XDG_STATE_HOME'] = before })
  process.env['XDG_STATE_HOME'] = '/dev/null'
  const expected = { name: 'CliError', message: /^\/dev\/null\/local-send\/.* a part of the path is not a folder\. XDG_STATE_HOME can name another place\.$/ }
  await t.rejects(StateFolder.create(owner, {}), expected)
  await t.rejects((await guessCounter(sessionId)).onGuess(1), expected)
})

t.test('a folder is made while that of another run goes, and none is taken for an interrupted one', async (t) => {
  await Promise.all(AT_ONCE.map(async () => {
    for (let i = 0; i < ROUNDS; i++) {
      await StateFolder.refuseInterrupted(sessionId, 'joiner')
      await (await StateFolder.create(owner, {})).remove()
    }
  }))
  t.pass('each of them')
  await (await StateFolder.create(owner, {})).keep()
  await t.rejects(StateFolder.refuseInterrupted(sessionId, 'joiner'), { message: /--resume/ })
})

t.test('a folder that went while it was made is made again, and what is none is told of', async (t) => {
  for (const code of ['ENOENT', 'ENOTDIR']) {
    let tries = 0
    const failing = (times: number) => (): Promise<number> => {
      tries += 1
      return tries > times ? Promise.resolve(tries) : Promise.reject(Object.assign(new Error('It is gone.'), { code }))
    }
    t.equal(await againIfRemoved(failing(2)), 3, code)
    tries = 0
    await t.rejects(againIfRemoved(failing(Number.POSITIVE_INFINITY)), { code })
  }
  await t.rejects(againIfRemoved(() => Promise.reject(Object.assign(new Error('It may not be made.'), { code: 'EACCES' }))), { code: 'EACCES' })
})

/** Goes on with what is left again and again, and now and then leaves something. What it prints: how often, and what else it was told than by a sentence. */
const RESUMING = `
  import { CliError } from './dist/cli/cli-error.js'
  import { StateFolder } from './dist/cli/state/state-folder.js'
  const owner = { ...${JSON.stringify({ sessionId: owner.sessionId, role: owner.role, passphrase: owner.passphrase })}, derive: () => Promise.resolve(new Uint8Array(32).fill(1)) }
  const [leaves] = process.argv.slice(1)
  const said = { resumed: 0, others: [] }
  const note = (error) => { if (!(error instanceof CliError)) said.others.push(String(error)) }
  for (let i = 0; i < 400; i++) {
    if (leaves === 'leaves') await StateFolder.create(owner, {}).then((folder) => folder.keep(), note)
    await StateFolder.resume(owner).then(({ folder }) => { said.resumed++; return folder.remove() }).catch(note)
  }
  console.log(JSON.stringify(said))
`

t.test('what is left is gone on with by one of several processes, and the others are told in a sentence', async (t) => {
  const env = { PATH: process.env['PATH'], XDG_STATE_HOME: process.env['XDG_STATE_HOME'] }
  const said = await Promise.all(['leaves', 'leaves', 'comes', 'comes'].map(async (how) => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', RESUMING, how], { cwd: projectPath('.'), env })
    return JSON.parse(stdout) as { readonly resumed: number, readonly others: readonly string[] }
  }))
  t.strictSame(said.flatMap(({ others }) => others), [])
  t.ok(said.reduce((sum, { resumed }) => sum + resumed, 0) > 0)
})

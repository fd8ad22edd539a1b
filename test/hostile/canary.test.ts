/**
 * A plaintext, a name and a passphrase that are known, looked for wherever the server could have them. That the search finds what is
 * there is shown by a managed session, in which the server does learn them.
 */

import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { toBase64url, randomBytes, utf8 } from '../../lib/crypto/bytes.js'
import { deriveW } from '../../lib/crypto/password.js'
import { isSessionId } from '../../lib/ids.js'
import { call, sha256 } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { commandLine, type Place } from './clients.js'
import { startRecorder, type Recorder } from './recorder.js'
import { run } from './scene.js'
import { contentOf, found, foundInMemory, spellings, type Canaries } from './search.js'

const canary = (): string => `canary${toBase64url(randomBytes(18)).replace(/[-_]/g, 'x')}`
// Not one that ends the server, nor the debugger's.
const SIGNAL = 'SIGALRM'
const LINES = 2 ** 19
/** Bytes that have come to the server when it is looked into for the first time. */
const UNDER_WAY = 2 ** 21

/** Where canaries were found. */
interface Findings {
  readonly wire: string[]
  readonly heap: string[]
  readonly memory: string[]
  readonly disk: string[]
  readonly logs: string[]
}

interface Scenery {
  readonly server: ServerProcess
  readonly recorder: Recorder
  readonly folder: string
  readonly snapshots: string
  readonly place: Place
}

async function build (t: Test): Promise<Scenery> {
  const cwd = await temporaryFolder(t)
  const [folder, snapshots] = [join(cwd, 'uploads'), join(cwd, 'snapshots')]
  await mkdir(snapshots)
  const server = await spawnServer(t, {
    UPLOAD_FOLDER: folder, SESSION_KEY_SECRET: newSecret(), LOG_LEVEL: 'trace', NODE_OPTIONS: `--heapsnapshot-signal=${SIGNAL} --diagnostic-dir=${snapshots}`
  })
  const recorder = await startRecorder(t, server.origin)
  return { server, recorder, folder, snapshots, place: { origin: recorder.origin, cwd, password: canary() } }
}

/** What V8 has on its heap; buffers lie elsewhere, in the memory that is looked through as well. */
async function heapSnapshot ({ server: { child }, snapshots }: Scenery): Promise<Uint8Array> {
  const before = new Set(await readdir(snapshots))
  child.kill(SIGNAL)
  for (let size = -1; ;) {
    await delay(500)
    const name = (await readdir(snapshots)).find((name) => !before.has(name))
    if (name === undefined) continue
    const now = (await stat(join(snapshots, name))).size
    if (now > 0 && now === size) return readFile(join(snapshots, name))
    size = now
  }
}

async function look (scenery: Scenery, canaries: Canaries): Promise<Findings> {
  const { server, recorder, folder } = scenery
  return {
    wire: found(canaries, ...recorder.recorded()),
    heap: found(canaries, await heapSnapshot(scenery)),
    memory: await foundInMemory(server.child.pid ?? 0, canaries),
    disk: found(canaries, await contentOf(folder)),
    logs: found(canaries, utf8(server.output()))
  }
}

/** One transfer from command line to command line. @returns what was found in the middle of it, and behind it */
async function transfer (t: Test, scenery: Scenery, ...flags: string[]): Promise<{ readonly during: Findings, readonly after: () => Promise<Findings> }> {
  const { place, recorder } = scenery
  const [line, name] = [canary(), canary()]
  const half = Buffer.from(`${line}\n`.repeat(LINES / 2))
  const client = commandLine()
  const sending = client.send(place, ['--name', name, ...flags, '-'])
  const sender = run(t, { ...sending, takesInput: true })
  if (sender.input === null) throw new Error('no input')
  sender.input.write(half)
  await eventually(() => sender.hasEnded() || client.codeOf(sender.output()) !== '')
  const code = client.codeOf(sender.output())
  const receiving = client.receive(place, code, [])
  const receiver = run(t, { ...receiving, args: [...receiving.args, ...flags] })
  await eventually(() => sender.hasEnded() || (receiver.output().includes('"joined"') && recorder.recorded().some(({ length }) => length > UNDER_WAY)))

  const sessionId = code.slice(0, 8)
  if (!isSessionId(sessionId)) throw new Error(`no session: ${sender.output()}`)
  const canaries = { plaintext: utf8(line), name: utf8(name), passphrase: utf8(place.password), w: await deriveW(place.password, sessionId) }
  const during = await look(scenery, canaries)
  t.same([sender.hasEnded(), receiver.hasEnded()], [false, false], 'the transfer is under way')
  sender.input.end(half)
  t.same(await Promise.all([sender.exit, receiver.exit]), [0, 0], sender.output() + receiver.output())
  t.equal(sha256(await readFile(join(place.cwd, 'received', name))), sha256(Buffer.concat([half, half])))
  return { during, after: () => look(scenery, canaries) }
}

t.test('every spelling is found, wherever it begins', (t) => {
  const secret = utf8('a secret that is looked for')
  for (const spelling of ['utf8', 'hex', 'base64', 'base64url', 'utf16le'] as const) {
    for (const before of ['', 'x', 'xx', 'xxx']) {
      t.same(found({ secret }, utf8(Buffer.from(`${before}a secret that is looked for, and more`).toString(spelling))), spelling === 'utf16le' ? [] : ['secret'], spelling)
    }
  }
  t.same(found({ secret }, Buffer.from('a secret that is looked for', 'utf16le')), ['secret'])
  t.same(found({ secret }, utf8('a secret that is not looked for')), [])
  t.ok(spellings(secret).length > 6)
  t.end()
})

t.test('the server of an end-to-end transfer has neither plaintext, name nor passphrase, nor what stands for it', async (t) => {
  const scenery = await build(t)
  const nowhere: Findings = { wire: [], heap: [], memory: [], disk: [], logs: [] }
  const { during, after } = await transfer(t, scenery)
  t.same(during, nowhere, 'while it is under way')
  t.same(await after(), nowhere, 'and when it is over')
})

t.test('of a managed transfer the search finds them, so it would have', async (t) => {
  const scenery = await build(t)
  const { during } = await transfer(t, scenery, '--managed')
  t.ok(['plaintext', 'name'].every((name) => during.wire.includes(name)), `on the wire: ${during.wire.join()}`)
  t.ok(during.heap.includes('name'), `on the heap: ${during.heap.join()}`)
  t.ok(['plaintext', 'w'].every((name) => during.memory.includes(name)), `in memory: ${during.memory.join()}`)
  // Neither disk nor logs have them even here: only what somebody puts there is found.
  t.same([during.disk, during.logs], [[], []])
  await writeFile(join(scenery.folder, 'planted'), scenery.place.password)
  await call(`${scenery.server.origin}/api/session/00000000/status?${scenery.place.password}`)
  const planted = await look(scenery, { passphrase: utf8(scenery.place.password) })
  t.same([planted.disk, planted.logs], [['passphrase'], ['passphrase']])
})

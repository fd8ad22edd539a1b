/** Two clients and a real server, with a server that lies in between: what each says, how each ends, and what stands in the folder. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readdir, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Writable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { build } from 'esbuild'
import type { Test } from 'tap'
import '../helpers/plain-children.js'
import { PASSWORD, randomContent } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { projectPath } from '../helpers/project.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import type { AttackName } from './attacks.js'
import type { Client } from './clients.js'

/** A process that has been started. */
export interface Running {
  /** All lines of both streams so far. */
  readonly output: () => string
  /** Exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>
  readonly hasEnded: () => boolean
  readonly stop: () => Promise<void>
  /** Its standard input, if it has one. */
  readonly input: Writable | null
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  /** Whether it is given a standard input, which stays open until it is ended. */
  readonly takesInput?: boolean
}

/** Starts a process, which the end of the test ends. */
export function run (t: Test, { program, args, env, cwd, takesInput = false }: Command): Running {
  const child = spawn(program, args, { cwd, env: { PATH: process.env['PATH'], ...env }, stdio: [takesInput ? 'pipe' : 'ignore', 'pipe', 'pipe'] })
  let output = ''
  let ended = false
  for (const stream of [child.stdout, child.stderr]) if (stream !== null) createInterface({ input: stream }).on('line', (line) => { output += `${line}\n` })
  const exit = once(child, 'close').then(([code, signal]: Array<number | NodeJS.Signals | null>) => {
    ended = true
    return code ?? signal ?? -1
  })
  t.teardown(() => child.kill('SIGKILL'))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exit
  }
  return { output: () => output, exit, hasEnded: () => ended, stop, input: child.stdin }
}

let bundle: Promise<string> | undefined

/** The proxy in one file, made once for all: what is compiled anew at every start starts slowly. */
async function bundled (): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'local-send-proxy-'))
  process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
  await symlink(projectPath('node_modules'), join(folder, 'node_modules'))
  const outfile = join(folder, 'proxy.mjs')
  await build({ entryPoints: [projectPath('test/hostile/lying-proxy.ts')], outfile, bundle: true, platform: 'node', format: 'esm', packages: 'external' })
  return outfile
}

/** A proxy process. @returns its address, and itself */
export async function startLyingProxy (t: Test, target: string, attack: AttackName, guess = ''): Promise<{ readonly origin: string, readonly proxy: Running }> {
  const proxy = run(t, { program: process.execPath, args: [await (bundle ??= bundled())], env: { TARGET: target, ATTACK: attack, GUESS: guess }, cwd: projectPath() })
  await eventually(() => proxy.hasEnded() || proxy.output().includes('listening'))
  const [origin] = /http:\S+/.exec(proxy.output()) ?? []
  if (origin === undefined) throw new Error(`no proxy: ${proxy.output()}`)
  return { origin, proxy }
}

/** Two whole chunks and a part of one, or a part of one alone, which travels together with others. */
const SIZES = { large: 2 * 2 ** 19 + 4321, small: 98_765 } as const

/** Of the same size, so that no size betrays one that stands for the other. */
const filesOf = (size: number): Readonly<Record<string, Uint8Array>> => ({ 'one.bin': randomContent(size), 'two.bin': randomContent(size) })

export interface SceneOptions {
  readonly attack: AttackName
  readonly client: Client
  /** Of the files; large ones by default. */
  readonly size?: keyof typeof SIZES
  /** Whether the receiver sends something in return. */
  readonly inReturn?: boolean
  /** How many receivers come, one after the other; the last one is told of. */
  readonly receivers?: number
  /** What the server guesses; not the password by default. */
  readonly guess?: string
  /** Milliseconds after which a receiver that has not ended is ended. */
  readonly patience?: number
  /** What the sender is waited for to say, or to end, when the receivers have come and gone. */
  readonly sender?: RegExp | 'ends'
  /** No receiver comes; the scene is over when the proxy has said this. */
  readonly until?: RegExp
}

/** What has happened. */
export interface Scene {
  readonly sender: string
  readonly receiver: string
  /** Of the receiver; `undefined` if it had to be ended. */
  readonly exit: number | NodeJS.Signals | undefined
  /** How the sender has ended, if it has by itself. */
  readonly senderExit: number | NodeJS.Signals | undefined
  /** What the proxy has achieved. */
  readonly proxy: string
  /** Files that stand under a name of their own with what was sent, and with anything else. */
  readonly whole: readonly string[]
  readonly wrong: readonly string[]
}

/** Plays it to the end. */
export async function play (t: Test, { attack, client, guess = 'not the password', size = 'large', inReturn = false, receivers = 1, patience = 60_000, sender: wanted, until }: SceneOptions): Promise<Scene> {
  const { origin: target } = await startServer(t, { MAX_JOIN_ATTEMPTS: '5' })
  const { origin, proxy } = await startLyingProxy(t, target, attack, guess)
  const cwd = await temporaryFolder(t)
  await mkdir(join(cwd, 'sent'))
  const files = filesOf(SIZES[size])
  const returned = { 'own.bin': randomContent(SIZES[size]) }
  for (const [name, content] of Object.entries({ ...files, ...returned })) await writeFile(join(cwd, 'sent', name), content)
  const place = { origin, cwd, password: PASSWORD }
  const sender = run(t, client.send(place, Object.keys(files).map((name) => join('sent', name))))
  await eventually(() => sender.hasEnded() || client.isReady(sender.output()))
  const ended = (process: Running): Promise<number | NodeJS.Signals | undefined> => Promise.race([process.exit, delay(patience, undefined, { ref: false })])

  let receiver: Running | undefined
  let exit: number | NodeJS.Signals | undefined
  if (until !== undefined) {
    await eventually(() => until.test(proxy.output()))
  } else {
    for (let count = 0; count < receivers && !sender.hasEnded(); count++) {
      receiver = run(t, client.receive(place, client.codeOf(sender.output()), inReturn ? [join('sent', 'own.bin')] : []))
      exit = await ended(receiver)
      await receiver.stop()
    }
  }
  const isOver = (): boolean => sender.hasEnded() || (wanted instanceof RegExp && wanted.test(sender.output()))
  if (wanted !== undefined) await Promise.race([eventually(isOver), delay(patience, undefined, { ref: false })])
  const senderExit = sender.hasEnded() ? await sender.exit : undefined
  await Promise.all([sender.stop(), proxy.stop()])
  return { sender: sender.output(), receiver: receiver?.output() ?? '', exit, senderExit, proxy: proxy.output(), ...await judge([[join(cwd, 'received'), files], [join(cwd, 'returned'), returned]], client) }
}

async function judge (folders: ReadonlyArray<readonly [string, Readonly<Record<string, Uint8Array>>]>, client: Client): Promise<Pick<Scene, 'whole' | 'wrong'>> {
  const whole: string[] = []
  const wrong: string[] = []
  for (const [folder, files] of folders) {
    const names = await readdir(folder, { recursive: true }).catch(() => [])
    for (const name of names.filter((name) => !client.isPartial(name)).sort()) {
      const sent = files[name]
      const isSame = sent !== undefined && Buffer.compare(await readFile(join(folder, name)), sent) === 0
      ;(isSame ? whole : wrong).push(name)
    }
  }
  return { whole, wrong }
}

/** What the tests of the command line share: the built program as a process, with a folder and a state of its own. */

import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import '../helpers/plain-children.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { projectPath } from '../helpers/project.js'
import { newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'

const ENTRY = projectPath('dist/cli/main.js')

/** A running command. */
export interface Run {
  readonly child: ChildProcess
  readonly stdout: () => string
  readonly stderr: () => string
  /** Exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>
}

export interface RunOptions {
  readonly input?: string | Uint8Array | undefined
  /** Whether standard input has neither bytes nor an end. */
  readonly inputStaysOpen?: boolean
  readonly environment?: Record<string, string>
}

/** A person at a machine of his own. */
export interface Place {
  readonly home: string
  readonly state: string
  readonly run: (args: readonly string[], options?: RunOptions) => Run
  /** On a terminal, as `script` makes one; what is typed there is written to the child's standard input. */
  readonly runOnTerminal: (args: readonly string[]) => Run
}

/** @param surroundings - environment variables of all that is run there */
export async function newPlace (t: Test, server: string, surroundings: Record<string, string> = {}): Promise<Place> {
  if (!existsSync(ENTRY)) throw new Error('The command line has not been built: npm run build')
  const home = await temporaryFolder(t)
  const state = await temporaryFolder(t)
  const start = (program: string, args: readonly string[], environment: Record<string, string> = {}): Omit<Run, 'child'> & { readonly child: ChildProcessWithoutNullStreams } => {
    const child = spawn(program, args, {
      cwd: home,
      env: { PATH: process.env['PATH'], XDG_STATE_HOME: state, LOCAL_SEND_SERVER: server, ...surroundings, ...environment },
      stdio: 'pipe'
    })
    t.teardown(() => child.kill('SIGKILL'))
    const output = { stdout: '', stderr: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => { output.stdout += text })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { output.stderr += text })
    child.stdin.on('error', () => {})
    const exit = once(child, 'close').then(([code, signal]: Array<number | NodeJS.Signals | null>) => code ?? signal ?? -1)
    return { child, exit, stdout: () => output.stdout, stderr: () => output.stderr }
  }
  const run = (args: readonly string[], { input, inputStaysOpen = false, environment }: RunOptions = {}): Run => {
    const started = start(process.execPath, [ENTRY, ...args], environment)
    if (!inputStaysOpen) started.child.stdin.end(input)
    return started
  }
  const runOnTerminal = (args: readonly string[]): Run => start('script', ['-qefc', [process.execPath, ENTRY, ...args].map((arg) => `'${arg}'`).join(' '), '/dev/null'])
  return { home, state, run, runOnTerminal }
}

/** A server, and a place for each of two people. */
export async function setUp (t: Test, environment: Record<string, string> = {}): Promise<{ readonly server: ServerProcess, readonly alice: Place, readonly bob: Place, readonly folder: string }> {
  const folder = await temporaryFolder(t)
  const server = await spawnServer(t, { UPLOAD_FOLDER: folder, SESSION_KEY_SECRET: newSecret(), LOG_LEVEL: 'info', RATE_LIMIT_JOIN: '10000', ...environment })
  return { server, folder, alice: await newPlace(t, server.origin), bob: await newPlace(t, server.origin) }
}

/** Waits until a run has said something. */
export async function said (run: Run, pattern: RegExp): Promise<RegExpExecArray> {
  const ended = run.exit.then(() => true)
  for (;;) {
    const found = pattern.exec(run.stdout() + run.stderr())
    if (found !== null) return found
    if (await Promise.race([ended, delay(10, false)]) && pattern.exec(run.stdout() + run.stderr()) === null) throw new Error(`It ended without saying ${String(pattern)}: ${run.stdout()}${run.stderr()}`)
  }
}

/** The code that a sender shows. */
export const codeOf = async (run: Run): Promise<string> => (await said(run, /Code {5}(\S+)/))[1] ?? ''

/** All files and folders below a folder, by relative path; nothing if it is not there. */
export async function treeOf (folder: string): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true })
  return (await readdir(folder, { recursive: true })).sort()
}

/** What is kept for a later run: nothing, where all is over. */
export const stateOf = async ({ state }: Place): Promise<readonly string[]> => (await treeOf(join(state, 'local-send'))).filter((name) => name.includes('/'))

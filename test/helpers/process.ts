import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import './plain-children.js'
import { projectPath } from './project.js'

const ENTRY = projectPath('dist/server.js')

export interface ServerProcess {
  readonly child: ChildProcess
  /** `http://127.0.0.1:PORT`; empty if the process ended without listening. */
  readonly origin: string
  /** All it has written so far, both streams. */
  readonly output: () => string
  /** Exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals>
}

/**
 * The built server as a process of its own, on a free port; returns when it listens or has ended.
 *
 * @param under - a command that becomes the one behind it
 * @param program - what Node runs, with its arguments
 */
export async function spawnServer (t: Test, environment: Record<string, string>, { under = [], program = [ENTRY] }: { under?: readonly string[], program?: readonly string[] } = {}): Promise<ServerProcess> {
  if (!existsSync(ENTRY)) throw new Error('The server has not been built: npm run build')
  const [command, ...args] = [...under, process.execPath, ...program]
  const child = spawn(command ?? '', args, {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', MIN_FREE_SPACE: '1MB', SHUTDOWN_GRACE: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => {
    // A server that ended where none should have says why only here.
    if (!t.passing()) t.comment(`the server's exit code: ${child.exitCode}, signal: ${child.signalCode}, last lines:\n${output.split('\n').slice(-30).join('\n')}`)
    child.kill('SIGKILL')
  })
  const exit = once(child, 'exit').then(([code, signal]: Array<number | NodeJS.Signals | null>) => code ?? signal ?? -1)
  let output = ''
  const listening = new Promise<string>((resolve) => {
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        output += `${line}\n`
        const [origin] = /https?:\/\/127\.0\.0\.1:\d+/.exec(line) ?? []
        if (origin !== undefined && line.includes('listening')) resolve(origin)
      })
    }
  })
  const origin = await Promise.race([listening, exit.then(() => '')])
  return { child, origin, output: () => output, exit }
}

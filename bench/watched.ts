import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { atExit } from './cleanup.js'
import { cpuSecondsOf, peakMemoryOf } from './process.js'

/** Milliseconds between two looks at a process: what it takes in its last moment may be missed. */
const INTERVAL = 20

/** What a process took, as far as it was seen. */
export interface Usage {
  readonly cpuSeconds: number
  /** Bytes. */
  readonly peakMemory: number
}

/** A program that runs to its end. */
export interface Watched {
  readonly stdout: Readable
  /** @throws Error if it ends otherwise than well, with what it said */
  readonly ended: Promise<Usage>
}

interface Command {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

/** Runs a program and watches what it takes. */
export function watch ({ command, args, cwd, env }: Command): Watched {
  const child = spawn(command, args, { cwd, env: { PATH: process.env['PATH'] ?? '', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  atExit(() => { child.kill('SIGKILL') })
  const ended = usageOf(child, command)
  ended.catch(() => {})
  return { stdout: child.stdout, ended }
}

async function usageOf (child: ChildProcessByStdio<null, Readable, Readable>, command: string): Promise<Usage> {
  let usage: Usage = { cpuSeconds: 0, peakMemory: 0 }
  const look = (): void => {
    try {
      usage = { cpuSeconds: cpuSecondsOf(child.pid), peakMemory: peakMemoryOf(child.pid) }
    } catch {
      // It has just ended.
    }
  }
  const timer = setInterval(look, INTERVAL)
  const said: string[] = []
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said.push(text) })
  const [code] = await once(child, 'close') as [number | null]
  clearInterval(timer)
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said.join('').slice(-2000)}`)
  return usage
}

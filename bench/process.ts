import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { transform } from 'esbuild'
import { atExit } from './cleanup.js'

/** Clock ticks a second of /proc/PID/stat (USER_HZ), 100 wherever Node runs. */
const TICKS = 100
/** Milliseconds until a server that does not start, or does not end, is given up. */
const PATIENCE = 20_000
/** Milliseconds between two attempts to reach a server that does not say when it listens. */
const POLLING = 20
const ERROR_LEVEL = 50

/** A server in a process of its own. */
export interface Server {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  readonly pid: number
  /** CPU seconds of all its threads since it started, in the kernel too. */
  cpuSeconds (): number
  /** Bytes: the largest resident set since it started, or since {@link Server.forgetPeak}. */
  peakMemory (): number
  /** Has the peak counted anew, from what is resident now. */
  forgetPeak (): Promise<void>
  stop (): Promise<void>
}

interface Program {
  /** For messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
}

type Child = ChildProcessByStdio<null, Readable, null>

/**
 * Starts a server on this Node that logs in JSON, as Fastify does, where it listens, and waits until it does.
 * @throws Error if it ends before
 */
export async function startServer (program: Omit<Program, 'command'>): Promise<Server> {
  return await start({ ...program, command: process.execPath }, ({ stdout }) => listening(createInterface({ input: stdout })))
}

/**
 * Starts a server that does not say when it listens, and waits until it takes connections.
 *
 * @param port - of 127.0.0.1, where it will listen
 * @throws Error if it ends before
 */
export async function startSilentServer (program: Program, port: number): Promise<Server> {
  return await start(program, async (child) => {
    child.stdout.resume()
    while (child.exitCode === null && !await takesConnections(port)) await delay(POLLING)
    return `http://127.0.0.1:${port}`
  })
}

async function start ({ name, command, args, cwd, env }: Program, ready: (child: Child) => Promise<string>): Promise<Server> {
  const child = spawn(command, args, { cwd, env: { NODE_ENV: 'production', ...env }, stdio: ['ignore', 'pipe', 'inherit'] })
  atExit(() => { child.kill('SIGKILL') })
  const ended = once(child, 'exit')
  const origin = await Promise.race([
    ready(child),
    ended.then(() => { throw new Error(`${name} ended before it listened.`) }),
    delay(PATIENCE, undefined, { ref: false }).then(() => { throw new Error(`${name} does not start.`) })
  ])
  return {
    origin,
    pid: child.pid ?? 0,
    cpuSeconds: () => cpuSecondsOf(child.pid),
    peakMemory: () => peakMemoryOf(child.pid),
    async forgetPeak () {
      await writeFile(`/proc/${child.pid ?? 'self'}/clear_refs`, '5')
    },
    async stop () {
      child.kill('SIGTERM')
      await Promise.race([ended, delay(PATIENCE, undefined, { ref: false })])
      child.kill('SIGKILL')
      await ended
    }
  }
}

/** What the kernel says of a process. It never waits for a disk, and asking another thread for it would take ten times as long. */
const ask = (pid: number | undefined, what: 'stat' | 'status'): string => readFileSync(`/proc/${pid ?? 'self'}/${what}`, 'latin1')

/**
 * CPU seconds of all threads of a process, in the kernel too.
 * @throws Error when it has ended
 */
export function cpuSecondsOf (pid: number | undefined): number {
  const stat = ask(pid, 'stat')
  // utime and stime are the fields 14 and 15; the second, the program's name, may hold spaces.
  const [utime, stime] = stat.slice(stat.lastIndexOf(')') + 2).split(' ').slice(11, 13)
  return (Number(utime) + Number(stime)) / TICKS
}

/**
 * Bytes: the largest resident set of a process.
 * @throws Error when it has ended
 */
export function peakMemoryOf (pid: number | undefined): number {
  const kib = /^VmHWM:\s+(\d+) kB$/m.exec(ask(pid, 'status'))?.[1]
  if (kib === undefined) throw new Error('The process has ended.')
  return Number(kib) * 1024
}

/** A port that is free now: some servers cannot choose one by themselves. */
export async function freePort (): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('There is no free port.'))
        else resolve(address.port)
      })
    })
  })
}

async function takesConnections (port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => { resolve(false) })
  })
}

/** The address out of the line that Fastify logs; errors that a server logs, then or later, are shown. */
async function listening (lines: AsyncIterable<string> & NodeJS.EventEmitter): Promise<string> {
  return await new Promise((resolve) => {
    lines.on('line', (line: string) => {
      const { msg, level } = logged(line)
      const origin = /^Server listening at (http:\S+)$/.exec(msg)?.[1]
      if (origin !== undefined) resolve(origin)
      if (level >= ERROR_LEVEL) process.stderr.write(`${line}\n`)
    })
  })
}

function logged (line: string): { msg: string, level: number } {
  const entry: unknown = JSON.parse(line)
  if (typeof entry !== 'object' || entry === null) return { msg: '', level: 0 }
  return { msg: 'msg' in entry ? String(entry.msg) : '', level: 'level' in entry ? Number(entry.level) : 0 }
}

/** The code of `contenders/NAME.ts`, without its types, for a bare Node: a loader inside the measured process would count towards its memory. */
export async function codeOfContender (name: string): Promise<string> {
  const source = await readFile(join(import.meta.dirname, 'contenders', `${name}.ts`), 'utf8')
  return (await transform(source, { loader: 'ts', format: 'esm', target: 'node20' })).code
}

/** Starts `contenders/NAME.ts`, a server. */
export async function startContender (name: string, env: Readonly<Record<string, string>>): Promise<Server> {
  return await startServer({ name, args: ['--input-type=module', '--eval', await codeOfContender(name)], cwd: import.meta.dirname, env })
}

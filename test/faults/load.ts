/** Hundreds of clients at once, some of whom behave badly: the others get what they ask for, and the server stays as it was. */

import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { Agent, setGlobalDispatcher } from 'undici'
import { createSession, download, randomContent, sha256, uploadFile, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { METRICS_TOKEN, scrape } from '../helpers/metrics.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { blobs, newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'

const SIZE = 2 ** 20
const SESSIONS = 10
/** One client in so many behaves badly. */
const MISBEHAVING = 20
/** How much more memory, and how much slower an answer of /health, may be in the last third than in the first. */
const SLACK = { memory: 1.25, latency: 3 }

export interface Load {
  readonly clients: number
  readonly seconds: number
  /** Whether it lasts long enough to compare its beginning with its end. */
  readonly isLong: boolean
}

interface Scene {
  readonly server: ServerProcess
  readonly sessions: ReadonlyArray<{ readonly session: TestSession, readonly fileId: string }>
  readonly content: Uint8Array<ArrayBuffer>
  readonly digest: string
  readonly signal: AbortSignal
  readonly counts: { uploads: number, downloads: number, busy: number, misdeeds: number }
  readonly wrong: string[]
}

export async function holdLoad (t: Test, { clients, seconds, isLong }: Load): Promise<void> {
  // Connections that lie idle are given up long before the server does that: a request that meets the end of one would be sent again.
  setGlobalDispatcher(new Agent({ keepAliveTimeout: 1000, keepAliveMaxTimeout: 1000 }))
  const folder = await temporaryFolder(t)
  const many = '100000000'
  const server = await spawnServer(t, { UPLOAD_FOLDER: folder, SESSION_KEY_SECRET: newSecret(), RATE_LIMIT_TOKEN: many, RATE_LIMIT_ANONYMOUS: many, RATE_LIMIT_CREATE: many, METRICS_TOKEN })
  const content = randomContent(SIZE)
  const sessions = await Promise.all(Array.from({ length: SESSIONS }, async () => {
    const session = await createSession(server.origin)
    return { session, fileId: (await uploadFile(session, session.token, content)).file_id }
  }))
  const end = new AbortController()
  const scene: Scene = { server, sessions, content, digest: sha256(content), signal: end.signal, counts: { uploads: 0, downloads: 0, busy: 0, misdeeds: 0 }, wrong: [] }
  const running = Array.from({ length: clients }, async (_, i) => {
    const behave = i % MISBEHAVING === 0 ? MISDEEDS[i / MISBEHAVING % MISDEEDS.length] : i % 2 === 0 ? upload : downloadOnce
    while (!end.signal.aborted) await behave?.(scene, i).catch((error: unknown) => { scene.wrong.push(`${i}: ${String(error)}, ${error instanceof Error ? String(error.cause) : ''}`) })
  })
  const samples = await watch(scene, seconds)
  end.abort()
  await Promise.all(running)

  t.comment(JSON.stringify({ ...scene.counts, ...Object.fromEntries(Object.entries(samples).map(([name, { first, last }]) => [name, `${first.toFixed(1)} ${last.toFixed(1)}`])) }))
  t.same(scene.wrong, [], 'errors only where they are due')
  t.ok(scene.counts.uploads > 0 && scene.counts.downloads > 0 && scene.counts.misdeeds > 0, 'everybody had his turn')
  if (isLong) t.ok(samples.memory.last <= samples.memory.first * SLACK.memory, 'memory is flat')
  if (isLong) t.ok(samples.latency.last <= samples.latency.first * SLACK.latency, 'answers of /health are as quick as before')
  await eventually(async () => (await blobs(folder)).length <= SESSIONS, 100)
  t.equal((await blobs(folder)).length, SESSIONS, 'nothing is left of what was given up')
  t.equal((await scrape(`${server.origin}/metrics`))('memory_slots_used'), 0, 'and no memory is held for it')
}

/** Looks at /health four times a second, in a process of its own: this one is busy with its clients. Prints milliseconds. */
const PROBE = `
import { setTimeout as delay } from 'node:timers/promises'
for (;;) {
  const begunAt = performance.now()
  await (await fetch(process.argv[1])).arrayBuffer()
  console.log(performance.now() - begunAt)
  await delay(250)
}
`

/** MB resident and median milliseconds of /health, in the first and in the last third of the time. */
async function watch ({ server: { origin, child } }: Scene, seconds: number): Promise<Record<'memory' | 'latency', { first: number, last: number }>> {
  const probe = spawn(process.execPath, ['--input-type=module', '--eval', PROBE, `${origin}/health`], { stdio: ['ignore', 'pipe', 'inherit'] })
  const latencies: number[] = []
  createInterface({ input: probe.stdout }).on('line', (line) => { latencies.push(Number(line)) })
  const memories: number[] = []
  // By the clock: where this process is behind, every look comes late.
  for (const end = performance.now() + 1000 * seconds; performance.now() < end;) {
    await delay(250)
    memories.push(Number(/^VmRSS:\s+(\d+)/m.exec(await readFile(`/proc/${child.pid ?? 0}/status`, 'latin1'))?.[1]) / 1024)
  }
  probe.kill()
  return { memory: thirds(memories), latency: thirds(latencies) }
}

function thirds (values: readonly number[]): { first: number, last: number } {
  const third = Math.floor(values.length / 3)
  const median = (part: readonly number[]): number => part.toSorted((a, b) => a - b)[Math.floor(part.length / 2)] ?? Number.NaN
  return { first: median(values.slice(0, third)), last: median(values.slice(-third)) }
}

/** Waits where the server says that it has too much to do, and says how long. @returns whether it did */
async function isBusy ({ counts }: Scene, status: number, headers: Headers): Promise<boolean> {
  const after = Number(headers.get('retry-after'))
  if (status !== 503 || !(after > 0)) return false
  counts.busy += 1
  await delay(1000 * after)
  return true
}

async function upload (scene: Scene, i: number): Promise<void> {
  const { sessions, content, digest, counts, wrong } = scene
  const { session: { url, token } } = sessions[i % SESSIONS] ?? fail()
  const authorization = `Bearer ${token}`
  const answer = await fetch(`${url}/files/${i}.bin`, { method: 'PUT', headers: { authorization, 'content-type': 'application/octet-stream' }, body: content })
  const { files = [] } = await answer.json() as { files?: Array<{ file_id: string, sha256: string }> }
  if (await isBusy(scene, answer.status, answer.headers)) return
  if (answer.status !== 201 || files[0]?.sha256 !== digest) wrong.push(`an upload was answered ${answer.status}`)
  counts.uploads += 1
  const { status } = await fetch(`${url}/files/${files[0]?.file_id ?? ''}`, { method: 'DELETE', headers: { authorization } })
  if (status !== 204) wrong.push(`a deletion was answered ${status}`)
}

async function downloadOnce (scene: Scene, i: number): Promise<void> {
  const { sessions, digest, counts, wrong } = scene
  const { session: { url, token }, fileId } = sessions[i % SESSIONS] ?? fail()
  const { status, headers, bytes } = await download(`${url}/download/${fileId}`, token)
  if (await isBusy(scene, status, headers)) return
  if (status !== 200 || sha256(bytes) !== digest) wrong.push(`a download was answered ${status}, with ${bytes.length} bytes`)
  counts.downloads += 1
}

const fail = (): never => { throw new Error('there is no such session') }

/** Opens a connection that says this, and does something with it until it ends or everybody stops. */
async function misbehave (scene: Scene, i: number, request: (session: TestSession, fileId: string) => string, act: (socket: Socket) => Promise<void>): Promise<void> {
  const { session, fileId } = scene.sessions[i % SESSIONS] ?? fail()
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(scene.server.origin).port) })
  socket.on('error', () => {})
  socket.write(request(session, fileId))
  await act(socket)
  socket.destroy()
  scene.counts.misdeeds += 1
  await delay(50)
}

const head = (line: string, token: string, more = ''): string => `${line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`
const put = ({ id, token }: TestSession): string => head(`PUT /api/session/${id}/files/bad.bin`, token, `Content-Type: application/octet-stream\r\nContent-Length: ${SIZE}\r\n`)
const isOpen = (socket: Socket, { signal }: Scene): boolean => !socket.destroyed && !signal.aborted

const MISDEEDS: ReadonlyArray<(scene: Scene, i: number) => Promise<void>> = [
  async (scene, i) => {
    await misbehave(scene, i, put, async (socket) => {
      socket.resume()
      // Never all of it, however long everybody goes on: a file that has come whole is kept, however slowly it came.
      for (let sent = 1024; sent < SIZE && isOpen(socket, scene); sent += 1024) {
        socket.write(Buffer.alloc(1024))
        await delay(500)
      }
    })
  },
  async (scene, i) => {
    await misbehave(scene, i, ({ id, token }, fileId) => head(`GET /api/session/${id}/download/${fileId}`, token), async (socket) => {
      socket.pause()
      for (let waited = 0; isOpen(socket, scene) && waited < 5000; waited += 100) await delay(100)
    })
  },
  async (scene, i) => {
    await misbehave(scene, i, put, async (socket) => {
      socket.resume()
      socket.write(Buffer.alloc(300_000))
      await delay(50)
    })
  },
  async (scene, i) => {
    await misbehave(scene, i, ({ id, token }) => head(`POST /api/session/${id}/upload`, token, 'Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n'), async (socket) => {
      socket.resume()
      socket.write(randomContent(100_000))
      await delay(50)
    })
  },
  async (scene, i) => {
    await misbehave(scene, i, () => '', async (socket) => {
      socket.resume()
      socket.write(randomContent(20_000))
      await delay(50)
    })
  }
]

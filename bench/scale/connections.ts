import { mkdir, readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Report } from '../table.js'
import type { Task } from '../task.js'
import { startCluster, type BenchSession } from './cluster.js'

/** Connections of each kind. */
const CONNECTIONS = 500
/** Sessions that they are spread over: no participant has more event streams than he may. */
const SESSIONS = 100
/** Milliseconds until the server has done what it does with them. */
const SETTLING = 3000
/** What each upload sends before it stops: more than a chunk, so that it holds its slot. */
const SENT = Buffer.alloc(300_000)

type Opening = (session: BenchSession, i: number) => { readonly head: string, readonly body?: Buffer }

const KINDS: Readonly<Record<string, Opening>> = {
  'idle, kept alive after a request': () => ({ head: 'GET /health HTTP/1.1' }),
  'event streams': ({ id }) => ({ head: `GET /api/session/${id}/events HTTP/1.1` }),
  'uploads that stand still': ({ id }, i) => ({ head: `PUT /api/session/${id}/files/${i}.bin HTTP/1.1\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000`, body: SENT })
}

/** Resident memory of one instance that holds many connections. */
export async function benchConnections ({ folder }: Task): Promise<Report> {
  const rows: string[][] = []
  const figures: Record<string, unknown> = {}
  for (const [i, [name, opening]] of Object.entries(KINDS).entries()) {
    const place = join(folder, `connections-${i}`)
    await mkdir(place)
    process.stderr.write(`scale: ${CONNECTIONS} connections, ${name}\n`)
    const { before, held } = await hold(place, opening)
    rows.push([name, (before / 1e6).toFixed(0), (held / 1e6).toFixed(0), ((held - before) / CONNECTIONS / 1000).toFixed(0)])
    figures[name] = { before, held }
  }
  return {
    title: `Memory of one instance that holds ${CONNECTIONS} connections`,
    columns: ['connections', 'MB resident before', 'MB resident with them', 'KB for each'],
    rows,
    notes: ['Uploads that stand still hold what has arrived of one chunk each, as far as STREAM_MEMORY lets them; the others wait.'],
    marks: [],
    figures
  }
}

async function hold (place: string, opening: Opening): Promise<{ before: number, held: number }> {
  const cluster = await startCluster(place, 1)
  const { origin = '', pid = 0 } = cluster.instances[0] ?? {}
  const sessions = await cluster.createSessions(SESSIONS, { password: undefined, kind: 'end-to-end' })
  await delay(SETTLING)
  const before = await residentOf(pid)
  const sockets: Socket[] = []
  for (let i = 0; i < CONNECTIONS; i++) {
    const session = sessions[i % SESSIONS]
    if (session !== undefined) sockets.push(await open(origin, session, opening(session, i)))
  }
  await delay(SETTLING)
  const held = await residentOf(pid)
  for (const socket of sockets) socket.destroy()
  await cluster.stop()
  return { before, held }
}

async function open (origin: string, { token }: BenchSession, { head, body }: ReturnType<Opening>): Promise<Socket> {
  const { port, host } = new URL(origin)
  const socket = connect({ host: '127.0.0.1', port: Number(port) })
  await new Promise((resolve, reject) => { socket.once('connect', resolve).once('error', reject) })
  socket.on('error', () => {}).resume()
  socket.write(`${head}\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`)
  if (body !== undefined) socket.write(body)
  return socket
}

async function residentOf (pid: number): Promise<number> {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'latin1'))?.[1]
  return Number(kib) * 1024
}

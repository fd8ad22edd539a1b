/** Clients that go away in the middle, again and again: everything is where it was before. */

import { readdir, readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { Agent, setGlobalDispatcher } from 'undici'
import { createSession, randomContent, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { METRICS_TOKEN, scrape } from '../helpers/metrics.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { projectPath } from '../helpers/project.js'
import { blobs, newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'

const AT_ONCE = 20
const BYTES = randomContent(700_000)
/** Bytes of memory that may be more than after the warm-up: what is cached. */
const SLACK = 32 * 2 ** 20

/** As the image and the systemd unit set it: otherwise glibc keeps much of what was freed. */
const MALLOC_TRIM_THRESHOLD_ = '131072'

/** Collects garbage, so that what is resident is held. */
const COLLECT = 'process.on("SIGWINCH", () => { gc() })'

/** What a server holds. */
interface Held {
  readonly descriptors: number
  readonly blobs: number
  readonly storedBytes: number
  readonly slots: number
  readonly transfers: number
  /** Bytes that have arrived since the server started. */
  readonly arrived: number
}

/**
 * Aborts many uploads, each after another number of bytes.
 *
 * @param count - of them
 * @param warmUp - uploads before them, in which the server grows: by another 30 MB between the 300th and the 2000th
 */
export async function abortMany (t: Test, count: number, warmUp: number): Promise<void> {
  // A connection of this process that lies idle would be one of the server's descriptors, for as long as it is kept.
  setGlobalDispatcher(new Agent({ keepAliveTimeout: 1, keepAliveMaxTimeout: 1 }))
  const folder = await temporaryFolder(t)
  const server = await spawnServer(t, { UPLOAD_FOLDER: folder, SESSION_KEY_SECRET: newSecret(), METRICS_TOKEN, RATE_LIMIT_TOKEN: '1000000', MALLOC_TRIM_THRESHOLD_ }, { program: ['--expose-gc', `--import=data:text/javascript,${encodeURIComponent(COLLECT)}`, projectPath('dist/server.js')] })
  const session = await createSession(server.origin)
  await abortAll(server, session, warmUp)
  const { arrived: arrivedBefore, ...before } = await settled(server, folder)
  const memory = await residentOf(server, folder)
  await abortAll(server, session, count)
  const { arrived, ...held } = await settled(server, folder)
  t.same(held, before, 'descriptors, files, reservations and memory slots')
  t.ok(arrived - arrivedBefore > count * BYTES.length / 10, 'and much of them had arrived')
  t.same([before.blobs, before.storedBytes, before.slots, before.transfers], [0, 0, 0, 0])
  const after = await residentOf(server, folder)
  t.ok(after <= memory + SLACK, `${Math.round(memory / 1e6)} MB resident before, ${Math.round(after / 1e6)} after`)
}

async function abortAll (server: ServerProcess, session: TestSession, count: number): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, i) => abortOne(server, session, (done + i) % count / count)))
  }
}

/** @param share - of the bytes that arrive */
async function abortOne ({ origin }: ServerProcess, { id, token }: TestSession, share: number): Promise<void> {
  const { port, host } = new URL(origin)
  const socket = connect({ host: '127.0.0.1', port: Number(port) })
  socket.on('error', () => {})
  socket.write(`PUT /api/session/${id}/files/a.bin HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/octet-stream\r\nContent-Length: ${BYTES.length}\r\n\r\n`)
  await new Promise((resolve) => { socket.write(BYTES.subarray(0, share * (BYTES.length - 1)), resolve) })
  await delay(10)
  socket.destroy()
}

/** What is held when nothing changes any more. */
async function settled (server: ServerProcess, folder: string): Promise<Held> {
  let held = await heldBy(server, folder)
  await eventually(async () => {
    const before = JSON.stringify(held)
    held = await heldBy(server, folder)
    return held.transfers === 0 && JSON.stringify(held) === before
  }, 500)
  return held
}

async function heldBy ({ origin, child }: ServerProcess, folder: string): Promise<Held> {
  const scraped = await scrape(`${origin}/metrics`)
  await delay(100)
  const value = (series: string): number => scraped(series) ?? Number.NaN
  return {
    descriptors: (await readdir(`/proc/${child.pid ?? 0}/fd`)).length,
    blobs: (await blobs(folder)).length,
    storedBytes: value('stored_bytes'),
    slots: value('memory_slots_used'),
    transfers: value('transfers_active{direction="upload"}'),
    arrived: value('transfer_bytes_total{direction="upload"}')
  }
}

async function residentOf (server: ServerProcess, folder: string): Promise<number> {
  const { child } = server
  child.kill('SIGWINCH')
  // What is asked behind it is answered behind it.
  for (let i = 0; i < 2; i++) await heldBy(server, folder)
  return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${child.pid ?? 0}/status`, 'latin1'))?.[1])
}

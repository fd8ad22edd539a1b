/** A server that is stopped and started again and again, under clients that go on where they were. */

import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { call, createSession, download, joinSession, randomContent } from '../helpers/client.js'
import { freePort } from '../helpers/nginx.js'
import { spawnServer } from '../helpers/process.js'
import { insist, newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { beginUpload, offsetOf, sendPiece } from '../helpers/tus.js'

export interface Load {
  readonly clients: number
  /** Bytes that each of them uploads. */
  readonly size: number
  /** Bytes of one request. */
  readonly piece: number
  readonly restarts: number
  /** The way to the server; straight unless given. */
  readonly through?: (t: Test, upstream: string) => Promise<string>
}

/**
 * Every client uploads piece by piece, downloads, and compares. After every restart it asks where it stands: never before the last
 * offset that the server acknowledged.
 */
export async function restartUnderLoad (t: Test, { clients, size, piece, restarts, through = (_t, upstream) => Promise.resolve(upstream) }: Load): Promise<void> {
  const environment = { PORT: String(await freePort()), UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), SHUTDOWN_GRACE: '2', MAX_FILE_SIZE: '10GiB' }
  let server = await spawnServer(t, environment)
  const origin = await through(t, server.origin)
  const content = randomContent(size)
  const progress = { acknowledged: 0, failed: false }
  const uploads = Array.from({ length: clients }, () => transfer().catch((error: unknown) => {
    progress.failed = true
    throw error
  }))
  async function transfer (): Promise<number> {
    const session = await createSession(origin)
    const joiner = await joinSession(session)
    const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(size) })
    let breaks = 0
    for (let offset = 0; offset < size;) {
      const answer = await sendPiece(url, session.token, offset, content.slice(offset, offset + piece)).catch(() => undefined)
      if (answer?.status === 204) {
        offset = Number(answer.headers.get('upload-offset'))
        progress.acknowledged += piece
      } else {
        breaks += 1
        const stands = await insist(() => offsetOf(url, session.token))
        t.ok(stands >= offset, `acknowledged ${offset}, there ${stands}`)
        offset = stands
      }
    }
    const received = await insist(async () => {
      const { status, bytes } = await download(`${session.url}/download/${id}`, joiner)
      if (status !== 200 || bytes.length !== size) throw new Error(`download answered ${status}`)
      return bytes
    })
    t.equal(Buffer.compare(received, content), 0, 'the same bytes')
    return breaks
  }

  for (let i = 1; i <= restarts; i++) {
    // In the middle of it, wherever the clients are then.
    while (progress.acknowledged < clients * size * i / (restarts + 1) && !progress.failed) await delay(2)
    server.child.kill('SIGTERM')
    t.equal(await server.exit, 0)
    server = await spawnServer(t, environment)
  }
  const breaks = await Promise.all(uploads)
  t.ok(breaks.some((count) => count > 0), 'somebody was interrupted')
  t.equal((await call(`${origin}/health/ready`)).status, 200)
}

/** A server with sessions of both kinds, for requests that may end them. */

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { isErrorCode } from '../../../client/errors.js'
import { ERRORS } from '../../../lib/errors.js'
import { isSessionId } from '../../../lib/ids.js'
import { call, createSession, joinSession, uploadFile, type TestSession } from '../../helpers/client.js'
import { beginAttempt, createEndToEnd, letIn } from '../../helpers/end-to-end.js'
import { connectTo } from '../../helpers/raw.js'
import { startServer, type TestServer } from '../../helpers/server.js'
import { beginUpload } from '../../helpers/tus.js'
import { must } from './holds.js'

export const ADMIN_TOKEN = 'the-0perator-0f-this-server-has-this'

/** What requests may name. */
export interface Known {
  readonly session: TestSession
  readonly joiner: string
  readonly fileId: string
  readonly uploadId: string
  readonly joinId: string
}

/** An answer as it came; without a status where the connection ended before one came. */
export interface RawAnswer {
  readonly status: number | undefined
  readonly head: string
  readonly body: string
}

export interface Place {
  readonly server: TestServer
  /** Two sessions that are there now, a managed one and an end-to-end one. */
  readonly known: () => Promise<readonly [Known, Known]>
  /** Nothing is under way any more, nothing is held in memory, and the server answers. */
  readonly settled: () => Promise<void>
  /** Ends all sessions: nothing of them is left on the disk, nor counted. */
  readonly cleared: () => Promise<void>
}

export async function startFuzzed (t: Test, environment: Record<string, string> = {}): Promise<Place> {
  const server = await startServer(t, { ADMIN_TOKEN, MAX_FILE_SIZE: '1MiB', MAX_JOIN_ATTEMPTS: '100000', RATE_LIMIT_OPERATOR: '1000000', RATE_LIMIT_ANONYMOUS: '10000000', RATE_LIMIT_TOKEN: '10000000', ...environment })
  const { app, origin, folder } = server
  const made: TestSession[] = []
  let now: readonly [Known, Known] | undefined

  async function make (create: () => Promise<TestSession>, admit: (session: TestSession) => Promise<string>): Promise<Known> {
    const session = await create()
    made.push(session)
    const joiner = await admit(session)
    const isManaged = (await call(`${session.url}/status`, { token: joiner })).body['kind'] === 'managed'
    const fileId = isManaged ? (await uploadFile(session, session.token, new Uint8Array(1000))).file_id : 'ab'.repeat(16)
    const { id: uploadId } = isManaged ? await beginUpload(session, session.token, { 'upload-length': '1000' }) : { id: 'cd'.repeat(16) }
    const joinId = isManaged ? '0'.repeat(16) : (await beginAttempt(session)).joinId
    return { session, joiner, fileId, uploadId, joinId }
  }

  const isWhole = async ({ session: { url, token }, joiner }: Known): Promise<boolean> =>
    (await call(`${url}/status`, { token })).status === 200 && (await call(`${url}/status`, { token: joiner })).status === 200

  return {
    server,
    known: async () => {
      if (app.draining.isOn) await call(`${origin}/api/admin/drain`, { method: 'DELETE', token: ADMIN_TOKEN })
      const [managed, sealed] = now ?? []
      now = [
        managed !== undefined && await isWhole(managed) ? managed : await make(() => createSession(origin), joinSession),
        sealed !== undefined && await isWhole(sealed) ? sealed : await make(() => createEndToEnd(origin, { max_joiners: 20 }), letIn)
      ]
      return now
    },
    settled: async () => {
      while (app.sessions.transfers.size > 0 || app.memoryBudget.used > 0) await delay(5)
      must((await call(`${origin}/health`)).status === 200, 'the server is not well')
    },
    cleared: async () => {
      const { body } = await call(`${origin}/api/admin/sessions?limit=1000`, { token: ADMIN_TOKEN })
      for (const { session_id: id } of body['sessions'] as Array<{ session_id: string }>) {
        if (isSessionId(id)) await call(`${origin}/api/admin/sessions/${id}`, { method: 'DELETE', token: ADMIN_TOKEN })
      }
      t.equal(app.storageQuota.total, 0, 'no room is taken')
      t.equal(app.memoryBudget.used, 0, 'no memory is taken')
      t.same((await readdir(join(folder, 'local-send'))).filter((name) => name !== 'lock'), [], 'nothing lies on the disk')
    }
  }
}

/** Milliseconds in which a request that is whole is answered, also by a machine that is busy. */
const DEADLINE = 10_000

/**
 * Sends bytes and reads until the server has answered and closed. Hangs up on what does not end by itself: a stream of events, an answer
 * behind which the connection stays open, or a request that was never whole.
 *
 * @param isWhole - whether an answer must come, however long that takes
 */
export async function exchangeRaw (origin: string, request: Uint8Array, { patience = 150, isWhole = false }: { readonly patience?: number, readonly isWhole?: boolean } = {}): Promise<RawAnswer> {
  const socket = await connectTo(origin)
  let text = ''
  await new Promise<void>((resolve) => {
    const hangUp = (): void => {
      if (isWhole && text === '') timer = setTimeout(() => { socket.destroy() }, DEADLINE)
      else socket.destroy()
    }
    let timer = setTimeout(hangUp, patience)
    socket.setEncoding('latin1').on('data', (piece: string) => {
      if (text === '') {
        clearTimeout(timer)
        timer = setTimeout(() => { socket.destroy() }, patience)
      }
      text += piece
      if (/^content-type: text\/event-stream/im.test(text)) socket.destroy()
    })
    socket.on('error', () => {}).once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    socket.write(request)
  })
  const answer = text.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, '')
  const [, status] = /^HTTP\/1\.1 (\d{3}) /.exec(answer) ?? []
  const end = answer.indexOf('\r\n\r\n')
  return { status: status === undefined ? undefined : Number(status), head: answer.slice(0, end), body: answer.slice(end + 4) }
}

/** Whether nothing of a request is missing that its head announces. A CONNECT is to a proxy: its connection is closed. */
export function isWhole (request: Buffer): boolean {
  const end = request.indexOf('\r\n\r\n')
  const head = request.subarray(0, Math.max(end, 0)).toString('latin1')
  if (end < 0 || head.startsWith('CONNECT ')) return false
  const body = request.subarray(end + 4)
  if (/^transfer-encoding:/im.test(head)) return body.toString('latin1').endsWith('0\r\n\r\n')
  const [, length = '0'] = /^content-length: *(\d+) *$/im.exec(head) ?? []
  return body.length >= Number(length)
}

/** Breaks a property unless an answer is a success, or a refusal in the form of the catalogue that blames the request. */
export function mustBeAnswered ({ status, head, body }: RawAnswer, isHead: boolean): void {
  if (status === undefined || status < 400) return
  must(status < 500 || status === 503 || status === 507, `${head}\n\n${body}`)
  if (isHead) return
  const answer: unknown = JSON.parse(body)
  must(typeof answer === 'object' && answer !== null && 'code' in answer && 'statusCode' in answer && 'message' in answer, `another form: ${head}\n\n${body}`)
  must(isErrorCode(answer.code) && answer.statusCode === status && ERRORS[answer.code].status === status && String(answer.message).startsWith(ERRORS[answer.code].message), `not of the catalogue: ${body}`)
}

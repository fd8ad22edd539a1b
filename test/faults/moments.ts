/** One transfer from its beginning to its end, while the server may be killed at any moment of it. */

import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { call, createSession, download, form, PASSWORD, randomContent, sha256, type Answer, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import type { ServerProcess } from '../helpers/process.js'
import { beginUpload, offsetOf, sendPiece } from '../helpers/tus.js'

const WHOLE = 400_000
const PIECE = 400_000
const PIECES = 3

/** What had been answered when the server was killed. */
export interface Progress {
  /** Requests that were answered. */
  answers: number
  session: TestSession | undefined
  joiners: string[]
  whole: { readonly id: string, readonly sha256: string } | undefined
  /** An upload in pieces, and how many bytes of it were acknowledged. */
  upload: { readonly id: string, readonly content: Uint8Array<ArrayBuffer>, acknowledged: number } | undefined
  isClosing: boolean
  isClosed: boolean
}

export const nothing = (): Progress => ({ answers: 0, session: undefined, joiners: [], whole: undefined, upload: undefined, isClosing: false, isClosed: false })

/** Requests of a transfer. */
export const REQUESTS = 5 + PIECES

/** Goes on until it is done or the server is gone; `progress` says how far it came. */
export async function transfer (origin: string, progress: Progress): Promise<void> {
  const session = await createSession(origin, { max_joiners: 5 })
  progress.session = session
  progress.answers += 1
  const joined = await call(`${session.url}/join`, { method: 'POST', body: { verification_code: session.code, password: PASSWORD } })
  assert.equal(joined.status, 200)
  progress.joiners.push(String(joined.body['token']))
  progress.answers += 1
  const content = randomContent(WHOLE)
  const { status, body } = await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form({ content }) })
  assert.equal(status, 201)
  const [{ file_id: id } = { file_id: '' }] = body['files'] as Array<{ file_id: string }>
  progress.whole = { id, sha256: sha256(content) }
  progress.answers += 1
  const { id: uploadId, url } = await beginUpload(session, session.token, { 'upload-length': String(PIECES * PIECE) })
  const upload = { id: uploadId, content: randomContent(PIECES * PIECE), acknowledged: 0 }
  progress.upload = upload
  progress.answers += 1
  for (let at = 0; at < PIECES * PIECE; at += PIECE) {
    assert.equal((await sendPiece(url, session.token, at, upload.content.slice(at, at + PIECE))).status, 204)
    upload.acknowledged = at + PIECE
    progress.answers += 1
  }
  progress.isClosing = true
  assert.equal((await call(`${session.url}/close`, { method: 'POST', token: session.token })).status, 200)
  progress.isClosed = true
  progress.answers += 1
}

/** Kills the server some milliseconds after so many requests of a transfer were answered. */
export async function killAfter (answers: number, milliseconds: number, server: ServerProcess): Promise<Progress> {
  const progress = nothing()
  // Whatever fails after the kill fails because of it.
  const running = transfer(server.origin, progress).catch((error: unknown) => { if (server.child.signalCode === null && !server.child.killed) throw error })
  await Promise.race([eventually(() => progress.answers >= answers, 1), running])
  await delay(milliseconds)
  server.child.kill('SIGKILL')
  await server.exit
  await running
  return progress
}

/** What the next server must know of it: all that was answered, and nothing that was not whole. */
export async function check (origin: string, { session, joiners, whole, upload, isClosing, isClosed }: Progress): Promise<void> {
  if (session === undefined) return
  const url = `${origin}/api/session/${session.id}`
  const ask = (path: string, token: string): Promise<Answer> => call(`${url}${path}`, { token })
  const { status } = await ask('/status', session.token)
  if (isClosed) assert.equal(status, 401, 'what was closed stays closed')
  if (status === 401) {
    assert.ok(isClosing, 'a session is gone that nobody closed')
    return
  }
  for (const token of joiners) assert.equal((await ask('/status', token)).status, 200, 'who had joined is in')
  const { status: listed, body } = await ask('/files', session.token)
  assert.equal(listed, 200)
  for (const { file_id: id, state, size, sha256: digest } of body['files'] as Array<{ file_id: string, state: string, size: number, sha256: string }>) {
    if (state !== 'ready') continue
    const { bytes } = await download(`${url}/download/${id}`, session.token)
    assert.deepEqual([bytes.length, sha256(bytes)], [size, digest], 'a file that is listed is whole')
  }
  if (whole !== undefined) assert.equal(sha256((await download(`${url}/download/${whole.id}`, session.token)).bytes), whole.sha256)
  if (upload !== undefined) await resume(url, session.token, upload)
}

async function resume (url: string, token: string, { id, content, acknowledged }: NonNullable<Progress['upload']>): Promise<void> {
  const at = `${url}/uploads/${id}`
  const offset = await offsetOf(at, token)
  assert.ok(offset >= acknowledged, `${acknowledged} bytes were acknowledged, and ${offset} are there`)
  if (offset < content.length) assert.equal((await sendPiece(at, token, offset, content.slice(offset))).status, 204)
  assert.equal(sha256((await download(`${url}/download/${id}`, token)).bytes), sha256(content), 'it ends as the same file')
}

import { randomBytes, toBase64url, toHex, type Bytes } from '../../lib/crypto/bytes.js'
import { sealStream, type Writer } from '../../lib/crypto/container.js'
import { newContentKey } from '../../lib/crypto/keys.js'
import { sealMetadata } from '../../lib/crypto/metadata.js'
import type { FileId } from '../../lib/ids.js'
import { newFileId } from '../../lib/new-ids.js'
import { concat } from '../../lib/crypto/bytes.js'
import { call, createSession, type Answer, type TestSession } from './client.js'

/** To the server, shares, confirmations and wrapped keys are bytes of a certain length. */
export const SHARE = `04${toHex(randomBytes(64))}`
export const CONFIRMATION = toHex(randomBytes(32))
export const WRAPPED_KEY = toBase64url(randomBytes(60))

export const createEndToEnd = (origin: string, options: object = {}): Promise<TestSession> =>
  createSession(origin, { password: undefined, kind: 'end-to-end', ...options })

export interface TestAttempt {
  readonly joinId: string
  readonly token: string
  /** `…/joins/{join_id}` */
  readonly url: string
}

/** Begins an attempt with the right code. */
export async function beginAttempt ({ url, code }: TestSession): Promise<TestAttempt> {
  const { status, body } = await call(`${url}/join`, { method: 'POST', body: { verification_code: code, public_key: SHARE } })
  if (status !== 202) throw new Error(`join answered ${status} ${JSON.stringify(body)}`)
  const joinId = String(body['join_id'])
  return { joinId, token: String(body['token']), url: `${url}/joins/${joinId}` }
}

export const respond = (session: TestSession, { url }: TestAttempt): Promise<Answer> =>
  call(`${url}/respond`, { method: 'POST', token: session.token, body: { public_key: SHARE } })

export const confirm = ({ url, token }: TestAttempt): Promise<Answer> =>
  call(`${url}/confirm`, { method: 'POST', token, body: { confirmation: CONFIRMATION } })

export const accept = (session: TestSession, { url }: TestAttempt): Promise<Answer> =>
  call(`${url}/accept`, { method: 'POST', token: session.token, body: { confirmation: CONFIRMATION, wrapped_key: WRAPPED_KEY } })

/** Lets somebody in. @returns the joiner's token */
export async function letIn (session: TestSession): Promise<string> {
  const attempt = await beginAttempt(session)
  for (const { status, body } of [await respond(session, attempt), await confirm(attempt), await accept(session, attempt)]) {
    if (status >= 300) throw new Error(`joining was answered ${status} ${JSON.stringify(body)}`)
  }
  return attempt.token
}

export interface SealedTestFile {
  readonly fileId: FileId
  /** base64url */
  readonly metadata: string
  readonly container: Bytes
}

/** A file as its sender would seal it. */
export async function sealFile (content: Bytes, { writer = 'B', fileId = newFileId(), contentKey = newContentKey() }: { writer?: Writer, fileId?: FileId, contentKey?: Bytes } = {}): Promise<SealedTestFile> {
  const metadata = await sealMetadata({ name: 'file.bin', size: content.length, type: '', modified: '2026-01-01T00:00:00Z' }, { contentKey, fileId, writer })
  const pieces: Uint8Array[] = []
  for await (const piece of sealStream((async function * () { yield await Promise.resolve(content) })(), { contentKey, fileId, writer })) pieces.push(piece)
  return { fileId, metadata: toBase64url(metadata), container: concat(...pieces) }
}

export function sealedForm (...files: SealedTestFile[]): FormData {
  const data = new FormData()
  for (const { fileId, metadata, container } of files) {
    data.append('file_id', fileId)
    data.append('metadata', metadata)
    data.append('file', new Blob([container]), fileId)
  }
  return data
}

export const uploadSealed = ({ url }: TestSession, token: string, ...files: SealedTestFile[]): Promise<Answer> =>
  call(`${url}/upload`, { method: 'POST', token, body: sealedForm(...files) })

/** The headers that begin a resumable upload of a sealed file. */
export const sealedUploadHeaders = ({ fileId, metadata, container }: SealedTestFile): Record<string, string> => ({
  'tus-resumable': '1.0.0',
  'upload-length': String(container.length),
  'upload-metadata': `file_id ${btoa(fileId)},metadata ${btoa(metadata)}`
})

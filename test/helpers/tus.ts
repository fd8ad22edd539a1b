import { request, type ClientRequest } from 'node:http'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { call, type Answer, type TestSession } from './client.js'
import { eventually } from './events.js'

export const TUS = { 'tus-resumable': '1.0.0' }
export const PIECE = { ...TUS, 'content-type': 'application/offset+octet-stream' }

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** Upload-Metadata of these values. */
export const metadata = (values: Record<string, string>): string =>
  Object.entries(values).map(([key, value]) => `${key} ${base64(value)}`).join()

/** Begins an upload. @returns its URL and id */
export async function beginUpload ({ url }: TestSession, token: string, headers: Record<string, string>): Promise<{ url: string, id: string, answer: Answer }> {
  const answer = await call(`${url}/uploads`, { method: 'POST', token, headers: { ...TUS, ...headers } })
  const location = answer.headers.get('location') ?? ''
  return { url: new URL(location, url).href, id: location.split('/').at(-1) ?? '', answer }
}

/** Sends one piece. */
export const sendPiece = (url: string, token: string, offset: number, content: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Answer> =>
  call(url, { method: 'PATCH', token, headers: { ...PIECE, 'upload-offset': String(offset), ...headers }, body: new Blob([content]) })

/** Where an upload stands. */
export async function offsetOf (url: string, token: string): Promise<number> {
  const { status, headers } = await call(url, { method: 'HEAD', token, headers: TUS })
  if (status !== 200) throw new Error(`HEAD answered ${status}`)
  return Number(headers.get('upload-offset'))
}

/** Waits until the list of files says that so much of an upload has arrived. */
export async function arrived ({ url, token }: TestSession, id: string, bytes: number): Promise<void> {
  await eventually(async () => {
    const files = (await call(`${url}/files`, { token })).body['files'] as Array<{ file_id: string, offset: number }>
    const upload = files.find(({ file_id: fileId }) => fileId === id)
    if (upload === undefined) throw new Error('the upload is gone')
    return upload.offset >= bytes
  }, 10)
}

/** Upload-Checksum of a piece. */
export const checksumOf = (piece: Uint8Array): Record<string, string> =>
  ({ 'upload-checksum': `sha256 ${createHash('sha256').update(piece).digest('base64')}` })

/** A piece that is sent bit by bit, and never ends by itself. */
export function openPiece (url: string, token: string, offset: number, headers: Record<string, string> = {}): { readonly request: ClientRequest, readonly answer: Promise<{ status: number, body: string }> } {
  const outgoing = request(url, { method: 'PATCH', agent: false, headers: { ...PIECE, authorization: `Bearer ${token}`, 'upload-offset': offset, ...headers } })
  outgoing.flushHeaders()
  const answer = once(outgoing, 'response').then(async ([response]: Array<AsyncIterable<Buffer> & { statusCode: number }>) => {
    if (response === undefined) throw new Error('no response')
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece)
    return { status: response.statusCode, body: Buffer.concat(pieces).toString() }
  })
  answer.catch(() => {})
  outgoing.on('error', () => {})
  return { request: outgoing, answer }
}

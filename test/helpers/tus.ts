import { request, type ClientRequest } from 'node:http'
import { once } from 'node:events'
import { call, type Answer, type TestSession } from './client.js'

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

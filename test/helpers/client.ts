import { randomBytes, createHash } from 'node:crypto'

export const PASSWORD = 'correct horse battery staple'

/** An answer with its body read: JSON where it is JSON. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
  /** Status, and the error's code where there is one: `401 UNAUTHORIZED`. */
  readonly summary: string
}

export interface CallOptions {
  readonly method?: string
  readonly token?: string | undefined
  readonly headers?: Record<string, string>
  /** An object is sent as JSON. */
  readonly body?: object | FormData | Blob | string | undefined
}

/** One call over a real socket. */
export async function call (url: string, { method = 'GET', token, headers = {}, body }: CallOptions = {}): Promise<Answer> {
  const plain = body === undefined || typeof body === 'string' || body instanceof FormData || body instanceof Blob
  const response = await fetch(url, {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(!plain && { 'content-type': 'application/json' }),
      ...headers
    },
    ...(body !== undefined && { body: plain ? body : JSON.stringify(body) })
  })
  const text = response.headers.get('content-type') === 'text/event-stream' ? await abandon(response) : await response.text()
  const isJson = response.headers.get('content-type')?.includes('json') === true
  const parsed = isJson && text !== '' ? JSON.parse(text) as Record<string, unknown> : { text }
  const { code } = parsed as { code?: string }
  return { status: response.status, headers: response.headers, body: parsed, summary: code === undefined ? String(response.status) : `${response.status} ${code}` }
}

/** Hangs up on an answer that does not end by itself. */
async function abandon ({ body }: Response): Promise<string> {
  await body?.cancel()
  return ''
}

export interface TestSession {
  readonly id: string
  readonly code: string
  readonly token: string
  /** `http://…/api/session/{id}` */
  readonly url: string
}

export async function createSession (origin: string, options: object = {}): Promise<TestSession> {
  const { status, body } = await call(`${origin}/api/session/create`, { method: 'POST', body: { password: PASSWORD, ...options } })
  if (status !== 201) throw new Error(`create answered ${status} ${JSON.stringify(body)}`)
  const id = String(body['session_id'])
  return { id, code: String(body['verification_code']), token: String(body['token']), url: `${origin}/api/session/${id}` }
}

/** Joins with the password. @returns the joiner's token */
export async function joinSession ({ url, code }: TestSession): Promise<string> {
  const { status, body } = await call(`${url}/join`, { method: 'POST', body: { verification_code: code, password: PASSWORD } })
  if (status !== 200) throw new Error(`join answered ${status} ${JSON.stringify(body)}`)
  return String(body['token'])
}

export interface UploadedFile {
  readonly file_id: string
  readonly filename: string
  readonly content_type: string
  readonly size: number
  readonly sha256: string
}

export function form (...files: Array<{ content: Uint8Array<ArrayBuffer>, name?: string, type?: string, sha256?: string }>): FormData {
  const data = new FormData()
  for (const { content, name = 'file.bin', type = 'application/octet-stream', sha256 } of files) {
    if (sha256 !== undefined) data.append('sha256', sha256)
    data.append('file', new Blob([content], { type }), name)
  }
  return data
}

/** Uploads one file. */
export async function uploadFile ({ url }: TestSession, token: string, content: Uint8Array<ArrayBuffer>, name = 'file.bin'): Promise<UploadedFile> {
  const { status, body } = await call(`${url}/upload`, { method: 'POST', token, body: form({ content, name }) })
  if (status !== 201) throw new Error(`upload answered ${status} ${JSON.stringify(body)}`)
  const [file] = body['files'] as UploadedFile[]
  if (file === undefined) throw new Error('upload answered without a file')
  return file
}

/** Downloads bytes, whatever the status is. */
export async function download (url: string, token: string, headers: Record<string, string> = {}): Promise<{ status: number, headers: Headers, bytes: Uint8Array }> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}`, ...headers } })
  return { status: response.status, headers: response.headers, bytes: new Uint8Array(await response.arrayBuffer()) }
}

export const randomContent = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(randomBytes(length))
export const sha256 = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

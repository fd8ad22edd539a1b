/**
 * Local Send in a page of the same origin: copy this file beside the page, and let your reverse proxy serve both and hand
 * `/api/` to Local Send. See index.html for a whole page.
 *
 *     import { createSession, uploadFile } from './local-send.js'
 *
 *     const { session_id, verification_code } = await createSession(password)
 *     await uploadFile(session_id, input.files[0])
 *
 * Addresses are relative and there is no token to keep: create and join set a cookie that scripts cannot read and that the
 * browser sends along, limited to the session. Files go from and to the disk in a stream, however large they are.
 */

/** The server's refusal: `code` is stable, `message` is for people. */
export class LocalSendError extends Error {
  constructor ({ code, message, statusCode }) {
    super(message)
    this.name = 'LocalSendError'
    this.code = code
    this.statusCode = statusCode
  }
}

/** Makes this browser the creator of a new session: `{session_id, verification_code, expires_at, …}`. */
export function createSession (password) {
  return call('POST', '/api/session/create', { password })
}

/** Makes this browser a participant of somebody else's session. */
export function joinSession (sessionId, verificationCode, password) {
  return call('POST', `/api/session/${sessionId}/join`, { verification_code: verificationCode, password })
}

/** Uploads a File: `{file_id, filename, size, sha256, …}`. */
export async function uploadFile (sessionId, file) {
  const form = new FormData()
  form.append('file', file)
  const { files } = await call('POST', `/api/session/${sessionId}/upload`, form)
  return files[0]
}

/** All files of the session, page by page. */
export async function listFiles (sessionId) {
  const all = []
  for (let cursor = ''; cursor !== null;) {
    const page = await call('GET', `/api/session/${sessionId}/files${cursor === '' ? '' : `?cursor=${cursor}`}`)
    all.push(...page.files)
    cursor = page.next_cursor
  }
  return all
}

/** Where a file is: a plain link to it is enough, the browser saves it under its name. */
export function downloadUrl (sessionId, fileId) {
  return `/api/session/${sessionId}/download/${fileId}`
}

/** Removes a file; its uploader and the creator may. */
export function deleteFile (sessionId, fileId) {
  return call('DELETE', `/api/session/${sessionId}/files/${fileId}`)
}

/** Ends the session and removes its files; the creator may. */
export function closeSession (sessionId) {
  return call('POST', `/api/session/${sessionId}/close`)
}

async function call (method, path, body) {
  const isForm = body instanceof FormData
  const response = await fetch(path, {
    method,
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    ...(body !== undefined && !isForm && { headers: { 'content-type': 'application/json' } })
  })
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
  const answer = isJson ? await response.json() : null
  if (!response.ok) throw new LocalSendError(answer ?? { code: 'UNKNOWN', message: response.statusText, statusCode: response.status })
  return answer
}

import { join } from 'node:path'
import { download, upload, type Target } from './client.js'
import { startServer, type Server } from './process.js'
import type { TestFile } from './test-file.js'

const SERVER = join(import.meta.dirname, '..', 'dist', 'server.js')

/** A running Local Send server with one managed session. */
export interface LocalSend {
  readonly server: Server
  /** Uploads; the server's SHA-256 must be the file's. */
  upload (file: TestFile): Promise<{ seconds: number, fileId: string }>
  /** Where a file of the session can be downloaded. */
  downloadTarget (fileId: string): Target
  /** @returns seconds */
  download (fileId: string): Promise<number>
  delete (fileId: string): Promise<void>
}

/** @param folder - the server's working folder: no `.env` lies there, and its uploads go there */
export async function startLocalSend (folder: string): Promise<LocalSend> {
  const env = { HOST: '127.0.0.1', PORT: '0', UPLOAD_FOLDER: folder, MAX_FILE_SIZE: '1TiB' }
  const server = await startServer({ name: 'Local Send', args: ['--max-semi-space-size=2', SERVER], cwd: folder, env })
  const create = await call(`${server.origin}/api/session/create`, 'POST', { 'content-type': 'application/json' }, JSON.stringify({ password: 'absent-mango-river' }))
  const session = `${server.origin}/api/session/${textAt(create, 'session_id')}`
  const headers = { authorization: `Bearer ${textAt(create, 'token')}` }
  const downloadTarget = (fileId: string): Target => ({ url: `${session}/download/${fileId}`, headers })
  return {
    server,
    downloadTarget,
    async upload (file) {
      const { seconds, answer } = await upload({ url: `${session}/upload`, headers }, file)
      const parsed: unknown = JSON.parse(answer)
      if (textAt(parsed, 'files', 0, 'sha256') !== file.sha256) throw new Error('Local Send has stored something else than the file.')
      return { seconds, fileId: textAt(parsed, 'files', 0, 'file_id') }
    },
    download: (fileId) => download(downloadTarget(fileId)),
    async delete (fileId) {
      await call(`${session}/files/${fileId}`, 'DELETE', headers)
    }
  }
}

async function call (url: string, method: string, headers: Record<string, string>, body?: string): Promise<unknown> {
  const response = await fetch(url, { method, headers, ...(body !== undefined && { body }) })
  const answer = await response.text()
  if (!response.ok) throw new Error(`${method} was answered with ${response.status} ${answer}`)
  return answer === '' ? undefined : JSON.parse(answer)
}

/** The text that stands in a parsed JSON document under these keys. */
function textAt (document: unknown, ...keys: ReadonlyArray<string | number>): string {
  let value = document
  for (const key of keys) value = typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined
  if (typeof value !== 'string') throw new Error(`An answer has no ${keys.join('.')}: ${JSON.stringify(document)}`)
  return value
}

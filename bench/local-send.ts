import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { startFlags } from '../test/helpers/project.js'
import { download, put, tusUpload, upload, type Target, type Upload } from './client.js'
import { startServer, type Server } from './process.js'
import type { TestFile } from './test-file.js'

const SERVER = join(import.meta.dirname, '..', 'dist', 'server.js')

/** A file that has been taken. */
export interface Stored {
  readonly seconds: number
  readonly fileId: string
}

/** A running Local Send server with one managed session. */
export interface LocalSend {
  readonly server: Server
  /** Uploads by multipart; the server's SHA-256 must be the file's. */
  upload (file: TestFile): Promise<Stored>
  /** Uploads by PUT; the server's SHA-256 must be the file's. */
  put (file: TestFile): Promise<Stored>
  /** Uploads by tus, which tells no SHA-256. */
  tusUpload (file: TestFile): Promise<Stored>
  /** Where {@link LocalSend.put} sends a file. */
  readonly putTarget: Target
  /** The id of the one file that the session has; the server's SHA-256 must be the file's. */
  onlyFileId (file: TestFile): Promise<string>
  /** Where a file of the session can be downloaded. */
  downloadTarget (fileId: string): Target
  /** @returns seconds */
  download (fileId: string): Promise<number>
  delete (fileId: string): Promise<void>
}

/** @param folder - the server's working folder: no `.env` lies there, its uploads go there, and it is removed when the server is stopped */
export async function startLocalSend (folder: string): Promise<LocalSend> {
  const env = { HOST: '127.0.0.1', PORT: '0', UPLOAD_FOLDER: folder, MAX_FILE_SIZE: '1TiB' }
  const started = await startServer({ name: 'Local Send', args: [...startFlags(), SERVER], cwd: folder, env })
  const server: Server = {
    ...started,
    async stop () {
      await started.stop()
      // A server may keep files for its next start; here there is none, and the room is needed.
      await rm(folder, { recursive: true })
    }
  }
  const create = await call(`${server.origin}/api/session/create`, 'POST', { 'content-type': 'application/json' }, JSON.stringify({ password: 'absent-mango-river' }))
  const session = `${server.origin}/api/session/${textAt(create, 'session_id')}`
  const headers = { authorization: `Bearer ${textAt(create, 'token')}` }
  const downloadTarget = (fileId: string): Target => ({ url: `${session}/download/${fileId}`, headers })
  const putTarget: Target = { url: `${session}/files/bench.bin`, headers }
  return {
    server,
    downloadTarget,
    putTarget,
    onlyFileId: async (file) => fileIdIn(await call(`${session}/files`, 'GET', headers), file),
    upload: async (file) => stored(await upload({ url: `${session}/upload`, headers }, file), file),
    put: async (file) => stored(await put(putTarget, file), file),
    async tusUpload (file) {
      const { seconds, url } = await tusUpload({ url: `${session}/uploads`, headers }, file)
      return { seconds, fileId: basename(new URL(url).pathname) }
    },
    download: (fileId) => download(downloadTarget(fileId)),
    async delete (fileId) {
      await call(`${session}/files/${fileId}`, 'DELETE', headers)
    }
  }
}

/** What the answer to an upload says. */
const stored = ({ seconds, answer }: Upload, file: TestFile): Stored => ({ seconds, fileId: fileIdIn(JSON.parse(answer), file) })

/** The id of the first file in an answer. @throws Error unless its SHA-256 is that of the file */
function fileIdIn (answer: unknown, { sha256 }: TestFile): string {
  if (textAt(answer, 'files', 0, 'sha256') !== sha256) throw new Error('Local Send has stored something else than the file.')
  return textAt(answer, 'files', 0, 'file_id')
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

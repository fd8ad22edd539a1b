import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Test } from 'tap'
import type { Connection } from '../../../client/http.js'

/** A tus server that forgets: what no honest one does, and a crashed one may. */
export interface StubTus {
  readonly connection: Connection
  /** Every id that was begun, in order. */
  readonly begun: string[]
  /** All bytes that have ever come for an id, each place at most once: a second time they must be the same. */
  readonly bytes: (id: string) => Uint8Array
  /** Places where other bytes came than before. */
  readonly conflicts: () => number
  /** After so many pieces, the server breaks the connection and stands at this offset again. */
  readonly forget: (pieces: number, offset: number) => void
}

interface Upload {
  readonly length: number | null
  offset: number
  /** Everything up to `known`. */
  readonly seen: Uint8Array
  known: number
}

const LONGEST = 2 ** 25

export async function startStubTus (t: Test): Promise<StubTus> {
  const uploads = new Map<string, Upload>()
  const begun: string[] = []
  let conflicts = 0
  let lapse: { pieces: number, readonly offset: number } | undefined

  async function take (upload: Upload, request: IncomingMessage): Promise<void> {
    for await (const piece of request as AsyncIterable<Buffer>) {
      const again = Math.min(piece.length, Math.max(0, upload.known - upload.offset))
      if (Buffer.compare(piece.subarray(0, again), upload.seen.subarray(upload.offset, upload.offset + again)) !== 0) conflicts += 1
      upload.seen.set(piece, upload.offset)
      upload.offset += piece.length
      upload.known = Math.max(upload.known, upload.offset)
    }
  }

  async function answer (request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '', headers } = request
    const id = url.split('/').at(-1) ?? ''
    if (method === 'POST') {
      const [, base64 = ''] = /file_id ([A-Za-z0-9+/=]+)/.exec(String(headers['upload-metadata'])) ?? []
      const fileId = Buffer.from(base64, 'base64').toString()
      begun.push(fileId)
      const length = headers['upload-length']
      uploads.set(fileId, { length: typeof length === 'string' ? Number(length) : null, offset: 0, seen: new Uint8Array(LONGEST), known: 0 })
      response.writeHead(201, { location: `${url}/${fileId}` }).end()
      return
    }
    const upload = uploads.get(id)
    if (upload === undefined || method === 'DELETE') {
      response.writeHead(upload === undefined ? 404 : 204).end()
      return
    }
    if (method === 'PATCH') {
      if (Number(headers['upload-offset']) !== upload.offset) {
        response.writeHead(409, { 'content-type': 'application/json' }).end('{"code":"UPLOAD_OFFSET_MISMATCH"}')
        return
      }
      await take(upload, request)
      if (lapse !== undefined && --lapse.pieces === 0) {
        upload.offset = lapse.offset
        lapse = undefined
        request.socket.resetAndDestroy()
        return
      }
    }
    response.writeHead(method === 'PATCH' ? 204 : 200, { 'upload-offset': upload.offset, ...(upload.length !== null && { 'upload-length': upload.length }) }).end()
  }

  const server = createServer((request, response) => { answer(request, response).catch(() => { response.destroy() }) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the stub has no port')
  return {
    connection: { server: `http://127.0.0.1:${address.port}` },
    begun,
    bytes: (id) => uploads.get(id)?.seen.slice(0, uploads.get(id)?.known) ?? new Uint8Array(),
    conflicts: () => conflicts,
    forget: (pieces, offset) => { lapse = { pieces, offset } }
  }
}

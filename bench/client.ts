/**
 * The sending and the receiving side. It runs in the process that orders the benchmarks, which has nothing else to do
 * meanwhile; with pieces of 1 MiB it takes as little CPU as curl, about 0.35 s a GB (measured: with 64 KiB three times that).
 */

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { request, type ClientRequest, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestFile } from './test-file.js'

/** Bytes that are read or written at a time. */
const PIECE = 2 ** 20
/** Milliseconds without a byte after which a server counts as stuck. */
const PATIENCE = 60_000
const BOUNDARY = 'local-send-bench'
const TUS = { 'tus-resumable': '1.0.0' }
const NOTHING = Buffer.alloc(0)

/** Where to transfer, and as whom. */
export interface Target {
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
}

/** What an upload came to. */
export interface Upload {
  /** From the connection to the whole answer. */
  readonly seconds: number
  /** The answer's body. */
  readonly answer: string
}

/** A part of a file, half-open. */
export interface Part {
  readonly start: number
  readonly end: number
}

type Headers = Readonly<Record<string, string | number>>

/** What a request carries: a file, and what stands before and after it. */
interface Body {
  readonly before?: Buffer
  readonly file?: TestFile
  readonly after?: Buffer
}

interface Reply {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/**
 * Uploads a file as the one part of a multipart body.
 * @throws Error unless the answer's status is 2xx
 */
export async function upload (target: Target, file: TestFile): Promise<Upload> {
  const before = Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="bench.bin"\r\ncontent-type: application/octet-stream\r\n\r\n`)
  const after = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
  const started = performance.now()
  const { body } = await send(target, 'POST', { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }, { before, file, after })
  return { seconds: secondsSince(started), answer: body }
}

/**
 * Uploads a file as the whole body of a PUT.
 * @throws Error unless the answer's status is 2xx
 */
export async function put (target: Target, file: TestFile): Promise<Upload> {
  const started = performance.now()
  const { body } = await send(target, 'PUT', { 'content-type': 'application/octet-stream' }, { file })
  return { seconds: secondsSince(started), answer: body }
}

/**
 * Uploads a file by tus 1.0.0 as an undisturbed client does: one POST that announces it, one PATCH with all of it.
 *
 * @param target - where uploads are made
 * @returns the seconds of both together, and the address that the server gave the upload
 * @throws Error unless both are answered with 2xx and the server has counted every byte
 */
export async function tusUpload (target: Target, file: TestFile): Promise<{ seconds: number, url: string }> {
  const started = performance.now()
  const metadata = `filename ${Buffer.from('bench.bin').toString('base64')}`
  const { headers: { location } } = await send(target, 'POST', { ...TUS, 'upload-length': file.size, 'upload-metadata': metadata }, {})
  if (location === undefined) throw new Error('The upload was made, but its answer does not say where.')
  const url = new URL(location, target.url).href
  const { headers } = await send({ ...target, url }, 'PATCH', { ...TUS, 'content-type': 'application/offset+octet-stream', 'upload-offset': 0 }, { file })
  if (headers['upload-offset'] !== String(file.size)) throw new Error(`Of ${file.size} bytes, the server took ${String(headers['upload-offset'])}.`)
  return { seconds: secondsSince(started), url }
}

const secondsSince = (started: number): number => (performance.now() - started) / 1000

/** Sends one request, over a connection of its own. */
async function send ({ url, headers }: Target, method: string, more: Headers, body: Body): Promise<Reply> {
  const { before = NOTHING, file, after = NOTHING } = body
  const length = before.length + (file?.size ?? 0) + after.length
  const outgoing = request(url, { method, agent: false, timeout: PATIENCE, headers: { ...headers, ...more, 'content-length': length } })
  const [reply] = await Promise.all([replyTo(outgoing), sendBody(outgoing, before, file, after)])
  return reply
}

async function replyTo (outgoing: ClientRequest): Promise<Reply> {
  return await new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('timeout', () => { outgoing.destroy(new Error('The server takes no more bytes.')) })
    outgoing.on('response', (incoming) => {
      const { statusCode = 0, headers } = incoming
      text(incoming).then((body) => {
        if (statusCode >= 200 && statusCode < 300) resolve({ headers, body })
        else reject(new Error(`The ${outgoing.method} was answered with ${statusCode} ${body}`))
      }, reject)
    })
  })
}

async function sendBody (outgoing: ClientRequest, before: Buffer, file: TestFile | undefined, after: Buffer): Promise<void> {
  if (file !== undefined) await sendFile(outgoing, before, file.path)
  outgoing.end(after)
}

/** Sends a file behind some other bytes; one piece is read from it while the one before is on its way. */
async function sendFile (outgoing: ClientRequest, before: Buffer, path: string): Promise<void> {
  const send = async (bytes: Uint8Array): Promise<void> => {
    await new Promise<void>((resolve, reject) => outgoing.write(bytes, (error) => { if (error) reject(error); else resolve() }))
  }
  const file = await open(path)
  try {
    let [idle, busy] = [Buffer.allocUnsafeSlow(PIECE), Buffer.allocUnsafeSlow(PIECE)]
    let sent = send(before)
    for (;;) {
      const [{ bytesRead }] = await Promise.all([file.read(idle, 0, PIECE), sent])
      if (bytesRead === 0) break
      sent = send(idle.subarray(0, bytesRead));
      [idle, busy] = [busy, idle]
    }
  } finally {
    await file.close()
  }
}

/**
 * Downloads and discards. It reads from the socket into one buffer: node:http would allocate one for every 64 KiB and take
 * twice the time.
 *
 * @param onBytes - sees the content; the bytes are valid only during the call
 * @param part - what to ask for by a Range; the whole file unless given
 * @returns seconds from the connection to the last byte
 * @throws Error unless the status is 200, of a part 206, and as many bytes as Content-Length says have come
 */
export async function download ({ url, headers = {} }: Target, onBytes: (bytes: Uint8Array) => void = () => {}, part?: Part): Promise<number> {
  const { hostname, port, pathname, host } = new URL(url)
  const range = part === undefined ? {} : { range: `bytes=${part.start}-${part.end - 1}` }
  const lines = Object.entries({ host, connection: 'close', ...range, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const buffer = Buffer.allocUnsafeSlow(PIECE)
  const answer = new Answer(onBytes, part)
  const started = performance.now()
  return await new Promise((resolve, reject) => {
    const take = (length: number): boolean => {
      try {
        answer.take(buffer.subarray(0, length))
      } catch (error) {
        reject(error instanceof Error ? error : new Error(String(error)))
        socket.destroy()
      }
      if (!answer.complete) return true
      resolve(secondsSince(started))
      socket.destroy()
      return false
    }
    const socket = connect({ host: hostname, port: Number(port), onread: { buffer, callback: take } })
    socket.on('error', reject)
    socket.on('close', () => { reject(new Error('The download ended before its last byte.')) })
    socket.setTimeout(PATIENCE, () => { socket.destroy(new Error('The server sends no more bytes.')) })
    socket.write(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`)
  })
}

/** One answer of HTTP/1.1 that has a Content-Length. */
class Answer {
  readonly #onBytes: (bytes: Uint8Array) => void
  readonly #part: Part | undefined
  #head = ''
  #rest = Number.POSITIVE_INFINITY

  constructor (onBytes: (bytes: Uint8Array) => void, part: Part | undefined) {
    this.#onBytes = onBytes
    this.#part = part
  }

  take (bytes: Buffer): void {
    const content = this.#rest === Number.POSITIVE_INFINITY ? this.#readHead(bytes) : bytes
    this.#rest -= content.length
    if (content.length > 0) this.#onBytes(content)
  }

  get complete (): boolean {
    return this.#rest === 0
  }

  /** @returns the content that stands behind the head, if all of the head is there */
  #readHead (bytes: Buffer): Buffer {
    const known = this.#head.length
    this.#head += bytes.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return bytes.subarray(bytes.length)
    const length = /^content-length: *(\d+)/im.exec(this.#head.slice(0, end))?.[1]
    if (!this.#isWanted(Number(length))) throw new Error(`The download was answered with ${this.#head.slice(0, end)}`)
    this.#rest = Number(length)
    return bytes.subarray(end + 4 - known)
  }

  #isWanted (length: number): boolean {
    if (this.#part === undefined) return this.#head.startsWith('HTTP/1.1 200 ') && length >= 0
    return this.#head.startsWith('HTTP/1.1 206 ') && length === this.#part.end - this.#part.start
  }
}

/**
 * Downloads one file over several connections at once, an equal part by each.
 *
 * @param onBytes - sees the content, and where in the file it belongs; the bytes are valid only during the call
 * @returns seconds until all of it has come
 * @throws Error like {@link download}
 */
export async function downloadInParts (target: Target, size: number, connections: number, onBytes: (bytes: Uint8Array, position: number) => void = () => {}): Promise<number> {
  const started = performance.now()
  await Promise.all(Array.from({ length: connections }, async (_connection, i) => {
    const part = { start: Math.floor(size * i / connections), end: Math.floor(size * (i + 1) / connections) }
    let position = part.start
    await download(target, (bytes) => {
      onBytes(bytes, position)
      position += bytes.length
    }, part)
  }))
  return secondsSince(started)
}

/** Downloads once more, for the SHA-256 of what comes: lowercase hex. */
export async function downloadedSha256 (target: Target): Promise<string> {
  const hash = createHash('sha256')
  await download(target, (bytes) => { hash.update(bytes) })
  return hash.digest('hex')
}

/**
 * The sending and the receiving side. It runs in the process that orders the benchmarks, which has nothing else to do
 * meanwhile; with pieces of 1 MiB it takes as little CPU as curl, about 0.35 s a GB (measured: with 64 KiB three times that).
 */

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { request, type ClientRequest } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestFile } from './test-file.js'

/** Bytes that are read or written at a time. */
const PIECE = 2 ** 20
/** Milliseconds without a byte after which a server counts as stuck. */
const PATIENCE = 60_000
const BOUNDARY = 'local-send-bench'

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

/**
 * Uploads a file as the one part of a multipart body.
 * @throws Error unless the answer's status is 2xx
 */
export async function upload ({ url, headers }: Target, { path, size }: TestFile): Promise<Upload> {
  const before = Buffer.from(`--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="bench.bin"\r\ncontent-type: application/octet-stream\r\n\r\n`)
  const after = Buffer.from(`\r\n--${BOUNDARY}--\r\n`)
  const started = performance.now()
  const outgoing = request(url, {
    method: 'POST',
    agent: false,
    timeout: PATIENCE,
    headers: { ...headers, 'content-type': `multipart/form-data; boundary=${BOUNDARY}`, 'content-length': before.length + size + after.length }
  })
  const [answer] = await Promise.all([answerTo(outgoing), sendBody(outgoing, before, path, after)])
  return { seconds: (performance.now() - started) / 1000, answer }
}

async function answerTo (outgoing: ClientRequest): Promise<string> {
  return await new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('timeout', () => { outgoing.destroy(new Error('The server takes no more bytes.')) })
    outgoing.on('response', (incoming) => {
      const { statusCode = 0 } = incoming
      text(incoming).then((body) => {
        if (statusCode >= 200 && statusCode < 300) resolve(body)
        else reject(new Error(`The upload was answered with ${statusCode} ${body}`))
      }, reject)
    })
  })
}

/** Sends the body; one piece is read from the file while the one before is on its way. */
async function sendBody (outgoing: ClientRequest, before: Buffer, path: string, after: Buffer): Promise<void> {
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
    outgoing.end(after)
  } finally {
    await file.close()
  }
}

/**
 * Downloads and discards. It reads from the socket into one buffer: node:http would allocate one for every 64 KiB and take
 * twice the time.
 *
 * @param onBytes - sees the content; the bytes are valid only during the call
 * @returns seconds from the connection to the last byte
 * @throws Error unless the status is 200 and as many bytes as Content-Length says have come
 */
export async function download ({ url, headers = {} }: Target, onBytes: (bytes: Uint8Array) => void = () => {}): Promise<number> {
  const { hostname, port, pathname, host } = new URL(url)
  const lines = Object.entries({ host, connection: 'close', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  const buffer = Buffer.allocUnsafeSlow(PIECE)
  const answer = new Answer(onBytes)
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
      resolve((performance.now() - started) / 1000)
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
  #head = ''
  #rest = Number.POSITIVE_INFINITY

  constructor (onBytes: (bytes: Uint8Array) => void) {
    this.#onBytes = onBytes
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
    if (!this.#head.startsWith('HTTP/1.1 200 ') || length === undefined) throw new Error(`The download was answered with ${this.#head}`)
    this.#rest = Number(length)
    return bytes.subarray(end + 4 - known)
  }
}

/** Downloads once more, for the SHA-256 of what comes: lowercase hex. */
export async function downloadedSha256 (target: Target): Promise<string> {
  const hash = createHash('sha256')
  await download(target, (bytes) => { hash.update(bytes) })
  return hash.digest('hex')
}

/** A file, sealed chunk by chunk with the SHA-256 of each that a journal would note, in one request. */

import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { request, type IncomingMessage } from 'node:http'

const { ORIGIN = '', FILE = '' } = process.env
const CHUNK = 2 ** 19
/** Chunks that are sealed at one time. */
const AHEAD = 4

const file = await open(FILE)
const { size } = await file.stat()
const key = await crypto.subtle.importKey('raw', new Uint8Array(32), 'AES-GCM', false, ['encrypt'])

async function sealed (index: number): Promise<Uint8Array> {
  const plain = Buffer.allocUnsafeSlow(Math.min(CHUNK, size - index * CHUNK))
  await file.read(plain, 0, plain.length, index * CHUNK)
  const iv = new Uint8Array(12)
  new DataView(iv.buffer).setUint32(8, index)
  const [chunk] = await Promise.all([crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, plain), crypto.subtle.digest('SHA-256', plain)])
  return new Uint8Array(chunk)
}

const put = request(ORIGIN, { method: 'PUT' })
const answered = once(put, 'response')
const chunks: Array<Promise<Uint8Array>> = []
const count = Math.ceil(size / CHUNK)
for (let index = 0; index < count + AHEAD; index++) {
  if (index < count) chunks.push(sealed(index))
  const chunk = index < AHEAD ? undefined : await chunks.shift()
  if (chunk !== undefined && !put.write(chunk)) await once(put, 'drain')
}
put.end()
const [response] = await answered as [IncomingMessage]
response.resume()
await file.close()

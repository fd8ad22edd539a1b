/** What bare-sender.ts sends, opened chunk by chunk and written to a file. */

import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'

const { ORIGIN = '', FILE = '' } = process.env
const CHUNK = 2 ** 19
const SEALED = CHUNK + 16
/** Chunks that are opened at one time. */
const AHEAD = 4

const file = await open(FILE, 'wx')
const key = await crypto.subtle.importKey('raw', new Uint8Array(32), 'AES-GCM', false, ['decrypt'])

async function unseal (index: number, chunk: Uint8Array): Promise<void> {
  const iv = new Uint8Array(12)
  new DataView(iv.buffer).setUint32(8, index)
  const plain = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, chunk))
  await file.write(plain, 0, plain.length, index * CHUNK)
}

const [response] = await once(get(ORIGIN), 'response') as [IncomingMessage]
const opened: Array<Promise<void>> = []
let chunk = Buffer.allocUnsafeSlow(SEALED)
let filled = 0
let index = 0
for await (const piece of response as AsyncIterable<Buffer>) {
  for (let taken = 0; taken < piece.length;) {
    const copied = piece.copy(chunk, filled, taken)
    filled += copied
    taken += copied
    if (filled < SEALED) continue
    opened.push(unseal(index++, chunk))
    if (opened.length > AHEAD) await opened.shift()
    chunk = Buffer.allocUnsafeSlow(SEALED)
    filled = 0
  }
}
if (filled > 0) opened.push(unseal(index, chunk.subarray(0, filled)))
await Promise.all(opened)
await file.close()

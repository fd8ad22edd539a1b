/**
 * What the bytes of a transfer take by way of a server, and nothing else: what is PUT goes into a file, and who GETs reads it from there
 * while it comes. One transfer at a time. It says where it listens like Fastify.
 */

import { EventEmitter, once } from 'node:events'
import { open, type FileHandle } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'

const { FOLDER = '.' } = process.env
/** Bytes that are written, or read, at once. */
const PIECE = 2 ** 19

interface Transfer {
  readonly file: FileHandle
  readonly news: EventEmitter
  written: number
  ended: boolean
}

const meeting = new EventEmitter()
let current: Transfer | undefined

async function take (request: IncomingMessage, response: ServerResponse): Promise<void> {
  const transfer: Transfer = { file: await open(join(FOLDER, 'stored.bin'), 'w+'), news: new EventEmitter(), written: 0, ended: false }
  current = transfer
  meeting.emit('begun')
  let pieces: Buffer[] = []
  let size = 0
  const write = async (): Promise<void> => {
    if (size === 0) return
    await transfer.file.writev(pieces, transfer.written)
    transfer.written += size
    transfer.news.emit('more')
    pieces = []
    size = 0
  }
  for await (const piece of request as AsyncIterable<Buffer>) {
    pieces.push(piece)
    size += piece.length
    if (size >= PIECE) await write()
  }
  await write()
  transfer.ended = true
  transfer.news.emit('more')
  response.end()
}

async function handOn (response: ServerResponse): Promise<void> {
  if (current === undefined) await once(meeting, 'begun')
  const transfer = current
  if (transfer === undefined) throw new Error('There is no transfer.')
  for (let at = 0; !(transfer.ended && at === transfer.written);) {
    if (at === transfer.written) {
      await once(transfer.news, 'more')
      continue
    }
    const piece = Buffer.allocUnsafeSlow(Math.min(PIECE, transfer.written - at))
    await transfer.file.read(piece, 0, piece.length, at)
    at += piece.length
    if (!response.write(piece)) await once(response, 'drain')
  }
  await transfer.file.close()
  current = undefined
  response.end()
}

const server = createServer((request, response) => {
  const handled = request.method === 'PUT' ? take(request, response) : handOn(response)
  handled.catch((error: unknown) => {
    console.log(JSON.stringify({ level: 50, msg: String(error) }))
    response.destroy()
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(JSON.stringify({ level: 30, msg: `Server listening at http://127.0.0.1:${address.port}` }))
})

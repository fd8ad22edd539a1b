/** The shortest way to take a file with Node alone: the request is piped to the disk. It says where it listens like Fastify. */

import { createWriteStream } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

const { FOLDER = '.' } = process.env

async function take (request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await pipeline(request, createWriteStream(join(FOLDER, 'upload.bin')))
    response.writeHead(201).end()
  } catch (error) {
    console.log(JSON.stringify({ level: 50, msg: String(error) }))
    response.destroy()
  }
}

const server = createServer((request, response) => { void take(request, response) })
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(JSON.stringify({ level: 30, msg: `Server listening at http://127.0.0.1:${address.port}` }))
})

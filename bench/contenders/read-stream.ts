/** The plain way to send a file with Fastify: a read stream, with the length that browsers want. */

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import Fastify from 'fastify'

const { FILE = '' } = process.env
const app = Fastify({ logger: true })

app.get('/download', async (_request, reply) => {
  const { size } = await stat(FILE)
  return reply.headers({ 'content-type': 'application/octet-stream', 'content-length': size }).send(createReadStream(FILE))
})

await app.listen({ host: '127.0.0.1', port: 0 })

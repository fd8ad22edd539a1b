/** The plain way to send a part of a file with Fastify: a read stream with a start and an end. */

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import Fastify from 'fastify'

const { FILE = '' } = process.env
const app = Fastify({ logger: true })

app.get('/download', async (request, reply) => {
  const { size } = await stat(FILE)
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? []
  const [start, end] = [Number(first), Number(last)]
  if (!(start <= end && end < size)) return await reply.code(416).send()
  return reply.code(206)
    .headers({ 'content-type': 'application/octet-stream', 'content-range': `bytes ${start}-${end}/${size}`, 'content-length': end - start + 1 })
    .send(createReadStream(FILE, { start, end }))
})

await app.listen({ host: '127.0.0.1', port: 0 })

/** The recipe of @fastify/multipart's README for large files: every file part is piped to the disk. */

import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import multipart from '@fastify/multipart'
import Fastify from 'fastify'

const { FOLDER = '.' } = process.env
const app = Fastify({ logger: true })
await app.register(multipart, { limits: { fileSize: Number.POSITIVE_INFINITY } })

app.post('/upload', async (request) => {
  for await (const part of request.parts()) {
    if (part.type === 'file') await pipeline(part.file, createWriteStream(join(FOLDER, 'upload.bin')))
  }
  return { stored: true }
})

await app.listen({ host: '127.0.0.1', port: 0 })

/** @fastify/static as its README sets it up. */

import { basename, dirname } from 'node:path'
import fastifyStatic from '@fastify/static'
import Fastify from 'fastify'

const { FILE = '' } = process.env
const app = Fastify({ logger: true })
await app.register(fastifyStatic, { root: dirname(FILE), serve: false })

app.get('/download', (_request, reply) => reply.sendFile(basename(FILE)))

await app.listen({ host: '127.0.0.1', port: 0 })

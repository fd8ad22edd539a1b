/**
 * A server that lies: stands between clients and a real server, as a process of its own, and alters what passes.
 *
 *     TARGET=http://127.0.0.1:5000 ATTACK=files-swapped GUESS=… node --import tsx test/hostile/lying-proxy.ts
 *
 * It writes its own address in the first line and, in a line of its own each, what it has achieved.
 */

import { once } from 'node:events'
import { createServer, request, type IncomingMessage, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Bytes } from '../../lib/crypto/bytes.js'
import { ATTACKS, isAttackName, type Attack, type Call, type Json, type OwnAnswer, type Stored } from './attacks.js'
import { say } from './say.js'

const { TARGET = '', ATTACK = '', GUESS = '' } = process.env
const target = new URL(TARGET)
const BASE = '/api/session'

/** Containers that were fetched whole, by file id: a writer never writes one anew. */
const containers = new Map<string, Bytes>()
let creatorToken: string | undefined

function callOf ({ method = 'GET', url = '/', headers }: IncomingMessage): Call {
  const { pathname } = new URL(url, target)
  const [, session = '', path = ''] = /^\/api\/session\/([0-9a-f]{8})(\/.*)$/.exec(pathname) ?? [undefined, '', pathname.replace(BASE, '')]
  const token = headers.authorization?.replace('Bearer ', '')
  return { method, session, path, token, byCreator: token !== undefined && token === creatorToken }
}

async function handle (incoming: IncomingMessage, outgoing: ServerResponse, attack: Attack): Promise<void> {
  const call = callOf(incoming)
  const isJson = incoming.headers['content-type']?.startsWith('application/json') === true
  const bytes = isJson ? await buffer(incoming) : undefined
  const body = bytes === undefined || bytes.length === 0 ? {} : JSON.parse(bytes.toString()) as Json
  note(call)
  const own = await attack.instead?.(call, body)
  if (own !== undefined) { await sendOwn(outgoing, own); return }
  if (attack.files !== undefined && call.path.startsWith('/download')) { await deliver(call, body, incoming, outgoing, attack.files); return }
  await forward(call, incoming, outgoing, bytes === undefined ? undefined : Buffer.from(JSON.stringify(attack.request?.(call, body) ?? body)), attack)
}

/** How far clients come, in one word each. */
const STEPS: ReadonlyArray<readonly [RegExp, string]> = [[/\/respond$/, 'answered'], [/\/confirm$/, 'confirmed'], [/\/accept$/, 'accepted'], [/\/reject$/, 'rejected']]

function note ({ method, path, byCreator }: Call): void {
  for (const [pattern, step] of STEPS) if (pattern.test(path)) say(`step ${step}`)
  if (method === 'GET' && path === '/files' && !byCreator) say('step listed')
}

async function sendOwn (outgoing: ServerResponse, { status, body, events }: OwnAnswer): Promise<void> {
  if (events !== undefined) {
    outgoing.writeHead(status, { 'content-type': 'text/event-stream' })
    for await (const event of events) outgoing.write(event)
    return
  }
  const isBytes = body instanceof Uint8Array
  outgoing.writeHead(status, body === undefined ? {} : { 'content-type': isBytes ? 'application/octet-stream' : 'application/json' })
  outgoing.end(body === undefined || isBytes ? body : JSON.stringify(body))
}

async function forward (call: Call, incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer | undefined, attack: Attack): Promise<void> {
  const headers = { ...incoming.headers, host: target.host, ...(body !== undefined && { 'content-length': String(body.length) }) }
  const upstream = request(target, { method: call.method, path: incoming.url, headers, agent: false })
  outgoing.once('close', () => upstream.destroy())
  const answered = once(upstream, 'response')
  if (body === undefined) pipeline(incoming, upstream).catch(() => {})
  else upstream.end(body)
  const [response] = await answered as [IncomingMessage]
  const status = response.statusCode ?? 502
  if (response.headers['content-type']?.startsWith('application/json') !== true || status >= 400) {
    outgoing.writeHead(status, response.headers)
    outgoing.flushHeaders()
    return pipeline(response, outgoing)
  }
  const answer = JSON.parse((await buffer(response)).toString()) as Json
  if (call.path === '/create') {
    creatorToken = String(answer['token'])
    attack.onCreate?.({ session: String(answer['session_id']), code: String(answer['verification_code']), server: `${target.origin}${BASE}`, guess: GUESS })
  }
  const altered = attack.answer?.(call, answer) ?? await alterList(call, answer, attack)
  const { 'content-length': _, ...rest } = response.headers
  outgoing.writeHead(status, { ...rest, 'content-length': Buffer.byteLength(JSON.stringify(altered)) })
  outgoing.end(JSON.stringify(altered))
}

interface Entry { readonly file_id: string, readonly metadata: string, readonly state: string, readonly size: number }

/** The list of files says what is delivered. */
async function alterList (call: Call, answer: Json, { files }: Attack): Promise<Json> {
  if (files === undefined || call.path !== '/files' || call.method !== 'GET' || call.byCreator) return answer
  const entries = answer['files'] as Entry[]
  const delivered = files(await stored(call, entries))
  const altered = entries.map((entry) => {
    const { metadata, container } = delivered.find(({ id }) => id === entry.file_id) ?? { metadata: entry.metadata, container: { length: entry.size } }
    return { ...entry, metadata, size: container.length, offset: container.length }
  })
  return { ...answer, files: altered }
}

/** What the server really has. */
async function stored ({ session, token = '' }: Call, entries: readonly Entry[]): Promise<Stored[]> {
  const headers = { authorization: `Bearer ${token}` }
  return Promise.all(entries.filter(({ state }) => state === 'ready').map(async ({ file_id: id, metadata }) => {
    const container = containers.get(id) ?? new Uint8Array(await (await fetch(`${target.origin}${BASE}/${session}/download/${id}`, { headers })).arrayBuffer())
    containers.set(id, container)
    return { id, metadata, container }
  }))
}

async function deliver (call: Call, body: Json, { headers }: IncomingMessage, outgoing: ServerResponse, files: NonNullable<Attack['files']>): Promise<void> {
  const list = await (await fetch(`${target.origin}${BASE}/${call.session}/files`, { headers: { authorization: `Bearer ${call.token ?? ''}` } })).json() as { files: Entry[] }
  const delivered = files(await stored(call, list.files))
  const asked = call.path === '/download' ? body['file_ids'] as string[] : [call.path.replace('/download/', '')]
  const content = Buffer.concat(asked.flatMap((id) => delivered.filter((file) => file.id === id).map(({ container }) => container)))
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? []
  const etag = `"${asked[0] ?? ''}"`
  if (first === undefined) {
    outgoing.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': content.length, etag })
    outgoing.end(call.method === 'HEAD' ? undefined : content)
    return
  }
  const end = last === '' || last === undefined ? content.length : Math.min(Number(last) + 1, content.length)
  const range = content.subarray(Number(first), end)
  outgoing.writeHead(206, { 'content-type': 'application/octet-stream', 'content-length': range.length, 'content-range': `bytes ${first}-${end - 1}/${content.length}`, etag })
  outgoing.end(range)
}

if (!isAttackName(ATTACK)) throw new Error(`There is no attack ${ATTACK}.`)
const attack = ATTACKS[ATTACK](GUESS)
const server = createServer((incoming, outgoing) => {
  handle(incoming, outgoing, attack).catch((error: unknown) => {
    if (!outgoing.destroyed && !outgoing.headersSent) process.stderr.write(`${ATTACK}: ${String(error)}\n`)
    outgoing.destroy()
  })
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
if (address === null || typeof address === 'string') throw new Error('There is no port.')
say(`listening http://127.0.0.1:${address.port}`)

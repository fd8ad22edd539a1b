import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { unproxiedFetch } from '../../cli/unproxied-fetch.js'
import type { Answer, Fetch } from '../../client/http.js'
import { concat } from '../../lib/crypto/bytes.js'
import { createCertificate } from '../helpers/certificate.js'
import { eventually } from '../helpers/events.js'
import { Noise } from '../helpers/noise.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

const MIB = 2 ** 20
const COMMON = { method: 'GET', headers: {}, cache: 'no-store', credentials: 'omit', redirect: 'manual', referrerPolicy: 'no-referrer' } as const

interface Site {
  readonly origin: string
  readonly fetch: Fetch
  readonly connections: () => number
}

/** A server with our agents on the other side. */
async function serve (t: Test, scheme: 'http' | 'https', listener: RequestListener): Promise<Site> {
  const certificate = scheme === 'https' ? await createCertificate(await temporaryFolder(t)) : undefined
  const server = certificate === undefined ? createHttpServer(listener) : createHttpsServer({ key: await readFile(certificate.keyFile), cert: certificate.cert }, listener)
  let connections = 0
  server.on('connection', () => { connections += 1 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return { origin: `${scheme}://127.0.0.1:${port}`, fetch: unproxiedFetch({ ca: certificate && [certificate.cert] }), connections: () => connections }
}

async function read ({ body }: Answer, onPiece = (): Promise<void> => Promise.resolve()): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  const reader = body?.getReader()
  for (let next = await reader?.read(); next !== undefined && next.done !== true; next = await reader?.read()) {
    // It is valid until the next one is asked for.
    pieces.push(next.value.slice())
    await onPiece()
  }
  return concat(...pieces)
}

for (const scheme of ['http', 'https'] as const) {
  t.test(`${scheme}: bodies arrive as they were sent, one after the other over one connection`, async (t) => {
    if (scheme === 'https' && !await needs(t, 'openssl')) return
    const sizes = [0, 1, 65_535, 65_536, 262_143, 262_144, 262_145, 5 * MIB + 1]
    const { origin, fetch, connections } = await serve(t, scheme, (request, response) => {
      const size = Number(request.url?.slice(1))
      const noise = new Noise(String(size))
      response.setHeader('content-length', size)
      for (let left = size; left > 0; left -= 100_000) response.write(noise.take(Math.min(left, 100_000)))
      response.end()
    })
    for (const size of sizes) {
      const answer = await fetch(`${origin}/${size}`, COMMON)
      t.equal(answer.status, 200)
      const body = await read(answer)
      t.ok(Buffer.from(new Noise(String(size)).take(size)).equals(body), `${size} bytes`)
    }
    t.equal(connections(), 1)
  })

  t.test(`${scheme}: several bodies at once do not mix`, async (t) => {
    if (scheme === 'https' && !await needs(t, 'openssl')) return
    const { origin, fetch } = await serve(t, scheme, (request, response) => { response.end(new Noise(request.url ?? '').take(3 * MIB)) })
    await Promise.all(Array.from({ length: 6 }, async (_, i) => {
      const body = await read(await fetch(`${origin}/${i}`, COMMON), () => delay(1))
      t.ok(Buffer.from(new Noise(`/${i}`).take(3 * MIB)).equals(body), `body ${i}`)
    }))
  })

  t.test(`${scheme}: a slow reader holds the server back, and loses nothing`, async (t) => {
    if (scheme === 'https' && !await needs(t, 'openssl')) return
    const size = 64 * MIB
    let taken = 0
    const { origin, fetch } = await serve(t, scheme, (_request, response) => {
      const noise = new Noise('slow')
      response.setHeader('content-length', size)
      const send = (): void => {
        while (taken < size) {
          taken += MIB
          if (!response.write(noise.take(MIB))) break
        }
        if (taken < size) response.once('drain', send)
        else response.end()
      }
      send()
    })
    const { body } = await fetch(origin, COMMON)
    const reader = body?.getReader()
    const expected = new Noise('slow')
    let length = 0
    let equal = true
    const take = async (): Promise<boolean> => {
      const next = await reader?.read()
      if (next === undefined || next.done === true) return false
      equal &&= Buffer.from(expected.take(next.value.length)).equals(next.value)
      length += next.value.length
      return true
    }
    await take()
    for (let before = -1; before !== taken;) {
      before = taken
      await delay(200)
    }
    t.ok(taken < size, `stopped at ${taken} bytes while nobody read`)
    while (await take());
    t.equal(length, size)
    t.ok(equal, 'every byte in its place')
  })

  t.test(`${scheme}: a body that breaks off fails, and one that is left closes its connection`, async (t) => {
    if (scheme === 'https' && !await needs(t, 'openssl')) return
    let closed = 0
    const { origin, fetch } = await serve(t, scheme, (request, response) => {
      response.on('close', () => { closed += 1 })
      response.setHeader('content-length', 10 * MIB)
      response.write(new Noise('broken').take(MIB))
      if (request.url === '/broken') setTimeout(() => { response.destroy() }, 50)
    })
    await t.rejects(async () => await read(await fetch(`${origin}/broken`, COMMON)), { code: 'ECONNRESET' })
    const { body } = await fetch(`${origin}/left`, COMMON)
    const reader = body?.getReader()
    await reader?.read()
    await reader?.cancel()
    const aborted = new AbortController()
    const answer = await fetch(`${origin}/aborted`, { ...COMMON, signal: aborted.signal })
    setTimeout(() => { aborted.abort() }, 50)
    await t.rejects(async () => await read(answer), { code: 'ECONNRESET' })
    await eventually(() => closed === 3)
  })
}

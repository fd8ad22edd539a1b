/** Two instances with one Redis and one object storage, behind each of the proxies as they are shipped. */

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startCaddy } from '../helpers/caddy.js'
import { call, createSession, download, joinSession, randomContent, type Answer, type TestSession } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { sharedSettings, startInstances } from '../helpers/instances.js'
import { startNginx, type Upstreams } from '../helpers/nginx.js'
import type { ServerProcess } from '../helpers/process.js'
import { TestRedis } from '../helpers/redis.js'
import { crash } from '../helpers/restart.js'
import { startS3 } from '../helpers/s3.js'
import { startServer } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { beginUpload, sendPiece } from '../helpers/tus.js'

const PIECES = 4
const PIECE = 400_000

const handled = ({ output }: ServerProcess): number => output().split('\n').filter((line) => line.includes('incoming request')).length

/**
 * Asks again where the proxy answers that it lost an instance, as every client does. nginx never needs to; Caddy 2.6 does not give another
 * instance what has a body.
 */
async function insist (send: () => Promise<Answer>): Promise<Answer> {
  const answer = await send()
  return answer.status === 502 ? await insist(send) : answer
}

/** A file in pieces, each of them by whichever instance the proxy chooses, and downloads of it. */
async function transfer (t: Test, session: TestSession, joiner: string): Promise<void> {
  const content = randomContent(PIECES * PIECE)
  const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(content.length) })
  for (let offset = 0; offset < content.length; offset += PIECE) {
    t.equal((await insist(() => sendPiece(url, session.token, offset, content.slice(offset, offset + PIECE)))).status, 204)
  }
  for (let i = 0; i < 2; i++) t.equal(Buffer.compare((await download(`${session.url}/download/${id}`, joiner)).bytes, content), 0)
}

/** What hangs up on, or refuses, whatever it has read of a request. */
async function startFailing (t: Test, answer: number | undefined): Promise<{ readonly origin: string, readonly taken: string[] }> {
  const taken: string[] = []
  const server: Server = createServer((request, response) => {
    taken.push(request.method ?? '')
    request.resume().on('end', () => {
      if (answer === undefined) request.socket.destroy()
      else response.writeHead(answer).end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close().closeAllConnections() })
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taken }
}

t.test('a transfer goes over both, and on when one is killed', async (t) => {
  for (const service of ['nginx', 'caddy', 'openssl', 'redis', 'swift'] as const) if (!await needs(t, service)) return
  const settings = await sharedSettings(t, await TestRedis.start(t), { ...(await startS3(t)).environment, TRUST_PROXY: '127.0.0.1', UPLOAD_FOLDER: '/does-not-exist' })
  for (const [proxy, start] of [['nginx', startNginx], ['Caddy', startCaddy]] as const) {
    const [a, b] = await startInstances(t, settings, 2)
    if (a === undefined || b === undefined) throw new Error('there are two')
    const origin = await start(t, [a.origin, b.origin])
    const session = await createSession(origin)
    const joiner = await joinSession(session)
    await transfer(t, session, joiner)
    // Caddy chooses at random.
    await eventually(async () => {
      t.equal((await call(`${session.url}/status`, { token: session.token })).status, 200)
      return handled(a) > 1 && handled(b) > 1
    })
    await crash(a)
    for (let i = 0; i < 4; i++) {
      t.equal((await call(`${session.url}/status`, { token: session.token })).status, 200)
      if (proxy === 'nginx') await createSession(origin)
    }
    await transfer(t, session, joiner)
  }
})

t.test('nginx gives another instance what is safe to do twice, and nothing else', async (t) => {
  for (const service of ['nginx', 'openssl'] as const) if (!await needs(t, service)) return
  for (const [answer, passedOn] of [[undefined, 502], [503, 503]] as const) {
    const [failing, good] = [await startFailing(t, answer), await startServer(t, { TRUST_PROXY: '127.0.0.1' })]
    const session = await createSession(good.origin)
    const upstreams: Upstreams = [failing.origin, good.origin]
    const url = `${await startNginx(t, upstreams)}/api/session/${session.id}`
    // Whose turn it is, is nginx's to say.
    const untilTaken = async (send: () => Promise<{ readonly status: number }>): Promise<number> => {
      const before = failing.taken.length
      let status = 0
      await eventually(async () => {
        ({ status } = await send())
        return failing.taken.length > before
      })
      return status
    }
    // More than nginx keeps of a body.
    const body = new Blob([randomContent(1_000_000)])
    t.equal(await untilTaken(() => call(`${url}/status`, { token: session.token })), 200)
    t.equal(await untilTaken(() => call(`${url}/join`, { method: 'POST', body: { verification_code: 'nothing' } })), passedOn)
    t.equal(await untilTaken(() => call(`${url}/files/one.bin`, { method: 'PUT', token: session.token, body })), passedOn)
    t.same(failing.taken, ['GET', 'POST', 'PUT'], 'each of them once')
  }
})

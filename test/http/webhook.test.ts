import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { Webhook as Verifier } from 'standardwebhooks'
import { Webhook, type WebhookOutcome } from '../../lib/webhook.js'
import { call, createSession } from '../helpers/client.js'
import { createEndToEnd } from '../helpers/end-to-end.js'
import { eventually } from '../helpers/events.js'
import { startServer } from '../helpers/server.js'

const SECRET = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const KEY = new Uint8Array(32).map((_, i) => i)

interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function listen (t: Test, handler: RequestListener): Promise<string> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?key=not-for-logs`
}

/** A receiver that answers its messages with these statuses in turn, and the last one from then on. */
async function startReceiver (t: Test, ...statuses: number[]): Promise<{ readonly url: string, readonly received: Received[] }> {
  const received: Received[] = []
  const url = await listen(t, (request, response) => {
    void text(request).then((body) => {
      received.push({ headers: request.headers, body })
      response.writeHead(statuses[received.length - 1] ?? statuses.at(-1) ?? 204, { location: '/elsewhere' }).end()
    })
  })
  return { url, received }
}

const verify = ({ headers, body }: Received): unknown => new Verifier(SECRET).verify(body, headers as Record<string, string>)

function start (url: string, options: object = {}) {
  const settled: Array<[WebhookOutcome, string | undefined]> = []
  const webhook = new Webhook({ url, secret: KEY, pauses: [1, 1], onSettled: (outcome, reason) => { settled.push([outcome, reason]) }, ...options })
  return { webhook, settled }
}

t.test('refused joins and locks are posted, signed, and nothing secret with them', async (t) => {
  const { url, received } = await startReceiver(t, 204)
  const { origin } = await startServer(t, { WEBHOOK_URL: url, WEBHOOK_SECRET: SECRET })
  const session = await createEndToEnd(origin)
  const wrong = session.code === '000000' ? '000001' : '000000'
  for (let i = 0; i < 5; i++) await call(`${session.url}/join`, { method: 'POST', body: { verification_code: wrong, public_key: '04'.repeat(65) } })
  await eventually(() => received.length === 6)
  const messages = received.map(verify) as Array<{ type: string, timestamp: string, data: Record<string, unknown> }>
  messages.sort((a, b) => a.type === b.type ? Number(a.data['failed_attempts']) - Number(b.data['failed_attempts']) : a.type < b.type ? -1 : 1)
  t.same(messages.map(({ type, data }) => [type, data]), [
    ...[1, 2, 3, 4, 5].map((failed) => ['join.refused', { session_id: session.id, kind: 'end-to-end', failed_attempts: failed, max_attempts: 5, join_id: null, reason: 'code' }]),
    ['session.locked', { session_id: session.id, kind: 'end-to-end', failed_attempts: 5, max_attempts: 5 }]
  ])
  t.equal(new Set(received.map(({ headers }) => headers['webhook-id'])).size, 6)
  const everything = JSON.stringify(received)
  for (const secret of [session.code, wrong, session.token, SECRET]) t.notOk(everything.includes(secret))
  t.throws(() => verify({ headers: received[0]?.headers ?? {}, body: received[1]?.body ?? '' }), 'a signature is of its message alone')
})

t.test('what cannot be delivered is tried again under its id, and given up in the end', async (t) => {
  const { url, received } = await startReceiver(t, 500, 302, 200, 410)
  const { webhook, settled } = start(url)
  webhook.post('session.locked', {})
  await eventually(() => settled.length === 1)
  t.same(settled, [['delivered', undefined]])
  t.equal(received.length, 3, 'a redirect is followed nowhere, and counts as a failure')
  t.equal(new Set(received.map(({ headers }) => headers['webhook-id'])).size, 1)
  for (const message of received) verify(message)

  webhook.post('session.locked', {})
  await eventually(() => settled.length === 2)
  t.same(settled[1], ['failed', 'the receiver answered 410'])
  t.equal(received.length, 6)

  const nobody = start('http://127.0.0.1:9/?key=not-for-logs')
  nobody.webhook.post('session.locked', {})
  await eventually(() => nobody.settled.length === 1)
  t.match(nobody.settled, [['failed', /^(?:ECONNREFUSED|Error)$/]], 'without the address')
})

t.test('nobody waits for a slow receiver, what waits is bounded, and a stop gives up in time', async (t) => {
  let requests = 0
  const url = await listen(t, () => { requests += 1 })
  const { webhook, settled } = start(url, { capacity: 6, timeout: 60_000, grace: 50 })
  for (let i = 0; i < 8; i++) webhook.post('join.refused', { i })
  t.same(settled, Array.from({ length: 2 }, () => ['dropped', '6 are waiting']), 'posting returns at once')
  t.equal(webhook.waiting, 6)
  await eventually(() => requests === 4)
  await webhook.stop()
  t.equal(webhook.waiting, 0)
  t.equal(settled.filter(([outcome]) => outcome === 'failed').length, 6)
})

t.test('one try takes so long', async (t) => {
  const url = await listen(t, () => {})
  const { webhook, settled } = start(url, { timeout: 20, pauses: [] })
  webhook.post('join.refused', {})
  await eventually(() => settled.length === 1)
  t.same(settled, [['failed', 'TimeoutError']])
})

t.test('a stop sends what waits, and waits for no further try', async (t) => {
  const { url, received } = await startReceiver(t, 500, 200)
  const { webhook, settled } = start(url, { pauses: [3_600_000] })
  webhook.post('join.refused', {})
  await eventually(() => received.length === 1)
  for (let i = 0; i < 9; i++) webhook.post('join.refused', {})
  await webhook.stop()
  t.same(settled.map(([outcome]) => outcome).sort(), [...Array.from({ length: 9 }, () => 'delivered'), 'failed'])
})

t.test('a server that stops has sent what the stop itself brought about, and its log names neither address nor secret', async (t) => {
  const { url, received } = await startReceiver(t, 500)
  let log = ''
  const stream = { write: (line: string) => { log += line } }
  const { app, origin } = await startServer(t, { WEBHOOK_URL: url, WEBHOOK_SECRET: SECRET, WEBHOOK_EVENTS: 'session.ended' }, { logger: { level: 'trace', stream } })
  const { id } = await createSession(origin)
  await app.close()
  t.match(received.map(verify), [{ type: 'session.ended', data: { session_id: id, kind: 'managed', reason: 'stopped' } }])
  t.match(log, /a message of the webhook was given up/)
  for (const secret of ['not-for-logs', SECRET.slice(6)]) t.notOk(log.includes(secret))
})

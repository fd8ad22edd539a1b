import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { watchContact } from '../../client/contact.js'
import { events } from '../../client/events.js'
import { apiOf } from '../../client/session.js'
import { eventually } from '../helpers/events.js'
import { startProxy } from '../helpers/proxy.js'
import { startServer } from '../helpers/server.js'
import { failure, startStub, type Script } from './fixtures/stub.js'
import { memberOf } from './fixtures/member.js'

/** A connection to a stub, and what is said of it; by default soon, so that nobody waits. */
async function watched (t: Test, script: Script, { patience = 20, signal }: { readonly patience?: number, readonly signal?: AbortSignal } = {}) {
  const { origin } = await startStub(t, script)
  const said: string[] = []
  const connection = watchContact({ server: origin }, { patience, signal, onLost: () => said.push('lost'), onBack: () => said.push('back') })
  return { said, connection, member: memberOf(origin) }
}

t.test('a connection that breaks, and is made anew when the network is back', async (t) => {
  const { origin } = await startServer(t)
  const proxy = await startProxy(t, origin)
  const said: string[] = []
  const connection = watchContact({ server: proxy.origin }, { patience: 100, onLost: () => said.push('lost'), onBack: () => said.push('back') })
  const health = async (): Promise<void> => { await connection.fetch?.(`${proxy.origin}/health`, { method: 'GET', headers: {}, cache: 'no-store', credentials: 'omit', redirect: 'manual', referrerPolicy: 'no-referrer' }) }
  await health()
  const mend = proxy.breakDown()
  await t.rejects(health())
  t.same(said, [], 'not at once')
  await eventually(() => said.length === 1)
  await t.rejects(health())
  await delay(200)
  t.same(said, ['lost'], 'once')
  mend()
  await health()
  t.same(said, ['lost', 'back'])
})

t.test('what breaks and is made anew before long is not told', async (t) => {
  let requests = 0
  const { said, connection, member } = await watched(t, (_, response) => {
    if (requests++ > 0) return { body: {} }
    response.destroy()
    return 'handled'
  }, { patience: 1000 })
  for (let i = 0; i < 2; i++) await t.rejects(apiOf(connection, member).status())
  await delay(1100)
  t.same(said, [])
})

t.test('a stream of events that falls silent, and what comes on the next one', async (t) => {
  let streams = 0
  const { said, connection, member } = await watched(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('\n')
    if (streams++ > 0) response.end('id: 1\nevent: session.closed\ndata: {}\n\n')
    return 'handled'
  })
  const types: string[] = []
  for await (const { type } of events(connection, member, { silence: 500 })) types.push(type)
  t.same(types, ['reset', 'reset', 'session.closed'])
  t.same(said, ['lost', 'back'])
})

t.test('a proxy that does not reach the server', async (t) => {
  const { said, connection, member } = await watched(t, () => ({ status: 502, body: 'no upstream' }))
  await t.rejects(apiOf(connection, member).status(), { code: 'NETWORK' })
  await eventually(() => said.length === 1)
  t.same(said, ['lost'])
})

t.test('a refusal is an answer, and who wants no answer has lost nothing', async (t) => {
  const wanted = new AbortController()
  const { said, connection, member } = await watched(t, ({ method }) => {
    if (method === 'POST') return failure(401, 'UNAUTHORIZED')
    wanted.abort()
    return 'handled'
  })
  await t.rejects(apiOf(connection, member).close(), { code: 'UNAUTHORIZED' })
  await t.rejects(apiOf(connection, member).status({ signal: wanted.signal }), { name: 'AbortError' })
  await delay(60)
  t.same(said, [])
})

t.test('nothing is told of what is over', async (t) => {
  const over = new AbortController()
  const { said, connection, member } = await watched(t, (_, response) => {
    response.destroy()
    return 'handled'
  }, { signal: over.signal })
  const api = apiOf(connection, member)
  await t.rejects(api.status(), { code: 'NETWORK' })
  over.abort()
  await t.rejects(api.status(), { code: 'NETWORK' })
  await delay(60)
  t.same(said, [])
})

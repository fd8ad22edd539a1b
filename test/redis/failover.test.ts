/** Servers whose Redis goes over to another machine under them: by Sentinels, and in a cluster of several nodes. */

import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { RedisConnection } from '../../lib/redis/redis-connection.js'
import { parseRedisUrl } from '../../lib/redis/redis-url.js'
import { call, createSession, joinSession, PASSWORD, randomContent, type Answer, type TestSession } from '../helpers/client.js'
import { arrival, listen } from '../helpers/events.js'
import { sharedSettings, startInstances } from '../helpers/instances.js'
import type { ServerProcess } from '../helpers/process.js'
import { answers, moveSlots, startCluster, startSentinels, tell, until } from '../helpers/redis-topologies.js'
import { movedTo } from '../helpers/restart.js'
import { needs } from '../helpers/services.js'
import { beginUpload, offsetOf, sendPiece } from '../helpers/tus.js'

const PIECE = 10_000

/** Asks for a session, and creates others, once before it returns, and then until it is told to stop. @returns what was answered */
async function keepAsking (instance: ServerProcess, session: TestSession): Promise<() => Promise<Answer[]>> {
  const answers: Answer[] = []
  const ask = async (): Promise<void> => {
    answers.push(await call(`${movedTo(instance, session).url}/status`, { token: session.token }))
    answers.push(await call(`${instance.origin}/api/session/create`, { method: 'POST', body: { kind: 'end-to-end' } }))
  }
  await ask()
  const over = new AbortController()
  const done = (async () => {
    while (!over.signal.aborted) {
      await ask()
      await delay(20)
    }
  })()
  return async () => {
    over.abort()
    await done
    return answers
  }
}

/** Nothing but success, and word that the store is away and when to come again. @returns how often that was */
function checkAnswers (t: Test, answers: readonly Answer[]): number {
  const away = answers.filter(({ summary }) => summary === '503 STORE_UNAVAILABLE')
  t.same([...new Set(answers.filter((answer) => !away.includes(answer)).map(({ status }) => status))].sort(), [200, 201])
  for (const { headers } of away) if (headers.get('retry-after') !== '5') t.fail('without Retry-After')
  return away.length
}

const isReady = async ({ origin }: ServerProcess): Promise<boolean> => (await call(`${origin}/health/ready`)).status === 200

/** A session with two wrong tries at its code and a piece of an upload, created at one instance and heard at the other. */
async function begin (a: ServerProcess, b: ServerProcess) {
  const session = await createSession(a.origin, { max_joiners: 3 })
  for (let i = 0; i < 2; i++) await call(`${session.url}/join`, { method: 'POST', body: { verification_code: '000000', password: PASSWORD } })
  const { id } = await beginUpload(session, session.token, { 'upload-length': String(3 * PIECE) })
  const upload = ({ origin }: ServerProcess): string => `${origin}/api/session/${session.id}/uploads/${id}`
  if ((await sendPiece(upload(a), session.token, 0, randomContent(PIECE))).status !== 204) throw new Error('the piece was not taken')
  return { session, upload, heard: await listen(movedTo(b, session).url, session.token) }
}

t.test('a master that dies is followed by its replica', async (t) => {
  if (!await needs(t, 'redis')) return
  const { url, master, replica } = await startSentinels(t)
  const [a, b] = await startInstances(t, { ...await sharedSettings(t, master), REDIS_URL: url }, 2)
  if (a === undefined || b === undefined) throw new Error('there are two')
  const { session, upload, heard } = await begin(a, b)
  const before = (await call(`${session.url}/status`, { token: session.token })).body
  t.equal(await tell(master.port, 'wait', 1, 0), '1', 'the replica has it')

  const stop = await keepAsking(a, session)
  await master.kill()
  await until(async () => !await isReady(a))
  await until(async () => await isReady(a) && await isReady(b))
  t.match(await tell(replica.port, 'role'), /^master/)
  t.ok(checkAnswers(t, await stop()) > 0)

  t.match((await call(`${movedTo(b, session).url}/status`, { token: session.token })).body, { failed_attempts: before['failed_attempts'] })
  t.equal(await offsetOf(upload(b), session.token), PIECE)
  t.equal((await sendPiece(upload(b), session.token, PIECE, randomContent(2 * PIECE))).status, 204)
  await joinSession(movedTo(a, session))
  await arrival(heard, 'join.joined')

  await master.start()
  await until(() => answers(master.port, 'slave', 'role'))
  t.equal((await call(`${session.url}/status`, { token: session.token })).status, 200, 'the old master is nobody\'s any more')
})

t.test('a cluster of several nodes', async (t) => {
  if (!await needs(t, 'redis')) return
  const cluster = await startCluster(t)
  const [first, second, third] = cluster.nodes
  if (first === undefined || second === undefined || third === undefined) throw new Error('there are six')
  const [a, b] = await startInstances(t, { ...await sharedSettings(t, first), REDIS_URL: cluster.url }, 2)
  if (a === undefined || b === undefined) throw new Error('there are two')
  const all = await Promise.all(Array.from({ length: 12 }, () => begin(a, b)))
  const { session: asked } = await begin(a, b)
  const goesOn = async (offset: number): Promise<void> => {
    for (const { session, upload } of all) {
      t.equal(await offsetOf(upload(b), session.token), offset)
      t.equal((await sendPiece(upload(a), session.token, offset, randomContent(PIECE))).status, 204)
    }
  }

  await t.test('slots move while requests come', async (t) => {
    const stop = await keepAsking(a, asked)
    await moveSlots(cluster, first, second, 2000)
    await moveSlots(cluster, third, first, 2000)
    t.equal(checkAnswers(t, await stop()), 0, 'nobody notices')
    await goesOn(PIECE)
  })

  await t.test('a master dies: its replica follows, and nobody misses an event', async (t) => {
    for (const { port } of [first, second, third]) t.equal(await tell(port, 'wait', 1, 0), '1')
    const stop = await keepAsking(a, asked)
    await first.kill()
    await until(async () => (await Promise.all(all.map(({ session }) => call(`${movedTo(a, session).url}/status`, { token: session.token })))).every(({ status }) => status === 200))
    await until(async () => await isReady(a) && await isReady(b))
    checkAnswers(t, await stop())
    await goesOn(2 * PIECE)
    for (const { session, heard } of all) {
      await arrival(heard, 'file.ready')
      await joinSession(movedTo(a, session))
      await arrival(heard, 'join.joined')
    }
  })

  await t.test('who listens learns of a break, and goes over to another node', async (t) => {
    await first.start()
    await until(() => answers(first.port, 'master_link_status:up', 'info', 'replication'))
    // The first of its addresses is away already when it starts.
    await second.kill()
    await until(async () => /master,fail /.test((await tell(third.port, 'cluster', 'nodes')).split('\n').find((line) => line.includes(`:${second.port}@`)) ?? ''))
    await until(() => answers(third.port, 'cluster_state:ok', 'cluster', 'info'))
    const connection = await RedisConnection.open(parseRedisUrl(`redis+cluster://127.0.0.1:${second.port},127.0.0.1:${third.port}`))
    t.teardown(() => { connection.close() })
    await second.start()
    await until(() => answers(second.port, 'master_link_status:up', 'info', 'replication'))
    const heard: string[] = []
    connection.subscriber.on('message', (_channel: string, message: string) => { heard.push(message) })
    await connection.subscribe('a channel')
    let isRestored = false
    connection.onRestored(() => {
      isRestored = true
      return Promise.resolve()
    })
    const places = await Promise.all(cluster.nodes.map(({ port }) => tell(port, 'pubsub', 'channels', 'a channel')))
    await cluster.nodes[places.indexOf('a channel')]?.kill()
    await until(() => Promise.resolve(isRestored))
    await until(async () => {
      await connection.run((client) => client.publish('a channel', 'hello')).catch(() => {})
      return heard.includes('hello')
    })
    t.pass('and hears again')
  })
})

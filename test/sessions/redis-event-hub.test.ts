import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { randomBytes } from '../../lib/crypto/bytes.js'
import { newFileId, newJoinId, newSessionId } from '../../lib/new-ids.js'
import { RedisEventHub } from '../../lib/sessions/redis-event-hub.js'
import { TestRedis } from '../helpers/redis.js'
import { needs } from '../helpers/services.js'
import { eventHubContract, locked, recorder, requested } from './event-hub-contract.js'

if (await needs(t, 'redis')) {
  const redis = await TestRedis.start(t)
  const secrets = { current: randomBytes(32) }

  const openHub = async (t: Test, errors: unknown[] = []): Promise<RedisEventHub> =>
    await RedisEventHub.open({ redis: await redis.connect(t), secrets, onError: (error) => { errors.push(error) } })

  for (const processes of [1, 2]) {
    t.test(`the contract of every hub, in ${processes === 1 ? 'one process' : 'two'}`, (t) => {
      eventHubContract(t, async (t) => {
        const hub = await openHub(t)
        return [hub, processes === 1 ? hub : await openHub(t)]
      })
      t.end()
    })
  }

  t.test('ends and leavings reach every process, whether or not it listens to the session', async (t) => {
    const [here, there] = [await openHub(t), await openHub(t)]
    const ended: unknown[] = []
    const told = new Promise<void>((resolve) => {
      here.onEnd((...end) => {
        ended.push(end)
        if (ended.length === 3) resolve()
      })
    })
    const [session, joiner] = [newSessionId(), newJoinId()]
    for (const participant of [joiner, 'creator'] as const) there.publish(session, { type: 'participant.left', participant })
    there.publish(session, locked)
    there.publish(session, { type: 'session.closed' })
    await told
    t.same(ended, [[session, joiner], [session, 'creator'], [session, undefined]])
  })

  t.test('no event can be read in Redis, and all are forgotten after a while', async (t) => {
    const hub = await openHub(t)
    const { client } = await redis.connect(t)
    const session = newSessionId()
    hub.publish(session, { type: 'file.started', fileId: newFileId(), filename: 'a-telling-name.txt', size: 1, uploadedBy: 'creator' })
    await hub.idle()
    const stream = `local-send:events:{${session}}`
    t.notOk(JSON.stringify(await client.xrange(stream, '-', '+')).includes('telling'))
    for (const key of [stream, `local-send:channel:{${session}}`]) t.ok(await client.pttl(key) > 3_000_000)
  })

  t.test('what was missed while Redis was away is heard when it is back; what nobody can know any more is said to be lost', async (t) => {
    const errors: unknown[] = []
    const hub = await openHub(t, errors)
    const session = newSessionId()
    const listener = recorder()
    await hub.subscribe(session, undefined, listener)
    hub.publish(session, locked)
    await listener.hears(1)
    await redis.kill()
    hub.publish(session, locked)
    await hub.idle()
    t.match(errors, [{ code: 'STORE_UNAVAILABLE' }], 'what could not be published is told to the operator')
    await t.rejects(hub.subscribe(session, undefined, recorder()), { code: 'STORE_UNAVAILABLE' })

    await redis.start()
    const other = await openHub(t)
    const events = [requested(), requested()]
    for (const event of events) other.publish(session, event)
    await listener.hears(3)
    t.same(listener.heard.slice(1).map(({ event }) => event), events)
    t.same(listener.starts.map(({ lost }) => lost), [false])

    const { client } = await redis.connect(t)
    await client.flushall()
    other.publish(session, requested())
    while (listener.starts.length < 2) await delay(1)
    t.same(listener.starts.map(({ lost }) => lost), [false, true], 'another channel of the same session')
  })
}

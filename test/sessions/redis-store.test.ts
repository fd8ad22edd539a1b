import t, { type Test } from 'tap'
import { randomBytes } from '../../lib/crypto/bytes.js'
import { newSessionId } from '../../lib/new-ids.js'
import { reserveDownloads } from '../../lib/sessions/session-files.js'
import { RedisStore } from '../../lib/sessions/redis-store.js'
import type { Secrets } from '../../lib/sessions/sealing.js'
import { TestRedis } from '../helpers/redis.js'
import { insist } from '../helpers/restart.js'
import { needs } from '../helpers/services.js'
import { wrongCode } from './embedded.js'
import { HOUR, newFile, newRecord, NOW } from './records.js'
import { allIds, sessionStoreContract } from './store-contract.js'

const MANY = 1000
const UNAVAILABLE = { code: 'STORE_UNAVAILABLE', retryAfter: 5 }

interface Opened {
  readonly store: RedisStore
  readonly errors: unknown[]
}

async function openStore (t: Test, redis: TestRedis, secrets: Secrets): Promise<Opened> {
  const errors: unknown[] = []
  const store = await RedisStore.open({ redis: await redis.connect(t), secrets, onError: (error) => { errors.push(error) } })
  t.teardown(() => store.close())
  return { store, errors }
}

/** A Redis in which nothing is. */
async function emptied (t: Test, redis: TestRedis): Promise<void> {
  await (await redis.connect(t)).run((client) => client.flushall())
}

if (await needs(t, 'redis')) {
  const redis = await TestRedis.start(t)
  const secrets: Secrets = { current: randomBytes(32) }

  t.test('the contract of every store', (t) => {
    sessionStoreContract(t, 'durable', async (t) => {
      await emptied(t, redis)
      return (await openStore(t, redis, secrets)).store
    })
    t.end()
  })

  t.test('of changes of one record by several processes none is lost or made twice', async (t) => {
    await emptied(t, redis)
    const stores = await Promise.all([1, 2, 3].map(async () => (await openStore(t, redis, secrets)).store))
    const file = newFile()
    const record = newRecord({ files: [file], limits: { maxDownloads: 7 } })
    await stores[0]?.add(record, MANY)
    const outcomes = await Promise.all(Array.from({ length: 200 }, async (_, i) => await stores[i % 3]?.update(record.id, (current) => reserveDownloads(wrongCode(current).record, new Set([file.id])))))
    t.equal(outcomes.filter((changed) => changed?.outcome === 'reserved').length, 7)
    for (const store of stores) t.match(await store.get(record.id), { files: [{ downloads: 7 }] })
    await Promise.all(Array.from({ length: 60 }, async (_, i) => await stores[i % 3]?.update(record.id, wrongCode)))
    const { wrongCodes } = await stores[1]?.get(record.id) ?? {}
    for (const store of stores) t.equal((await store.get(record.id))?.wrongCodes, wrongCodes, 'all see the same')
    t.equal(wrongCodes, 260, 'each change once')
  })

  t.test('of several processes that end a session one cleans up', async (t) => {
    await emptied(t, redis)
    const stores = await Promise.all([1, 2, 3].map(async () => (await openStore(t, redis, secrets)).store))
    const record = newRecord()
    await stores[0]?.add(record, MANY)
    await Promise.all(stores.map((store) => store.get(record.id)))
    const deleted = await Promise.all(stores.map((store) => store.delete(record.id)))
    t.equal(deleted.filter((found) => found !== undefined).length, 1)
    for (const store of stores) t.equal(await store.get(record.id), undefined, 'nobody goes on with what he remembers')
  })

  t.test('nothing of a record can be read in Redis, and what expires without a sweeper goes by itself', async (t) => {
    await emptied(t, redis)
    const { store } = await openStore(t, redis, secrets)
    const record = newRecord({ files: [{ ...newFile(), name: 'a-telling-name.txt' }] })
    await store.add(record, MANY)
    await store.update(record.id, wrongCode)
    const { client } = await redis.connect(t)
    const key = `local-send:session:{${record.id}}`
    const content = Buffer.concat(Object.values(await client.hgetallBuffer(key)))
    for (const canary of ['a-telling-name', record.verificationCode, record.creatorTokenHash ?? '']) t.notOk(content.includes(canary), canary)
    const life = await client.pttl(key)
    t.ok(life > HOUR && life <= HOUR + 600_000, 'it lives a little longer than the session')
    await store.touch(record.id, record.endsAt - 1)
    t.ok(await client.pttl(key) <= 600_001, 'never beyond the end that nothing postpones')
    await client.del(key)
    t.same(await store.expired(record.endsAt), [])
    t.equal(await client.zcard('local-send:sessions'), 0, 'and its place is free again')
  })

  t.test('another secret starts nothing; both are good while one is being changed', async (t) => {
    await emptied(t, redis)
    const [old, next] = [randomBytes(32), randomBytes(32)]
    const [first, second] = [newRecord(), newRecord()]
    const before = await openStore(t, redis, { current: old })
    for (const record of [first, second]) await before.store.add(record, MANY)
    await t.rejects(openStore(t, redis, { current: next }), { name: 'ConfigError', message: /^SESSION_KEY_SECRET must be the one/ })
    t.same(await before.store.get(first.id), first, 'nothing was removed')

    const prepared = await openStore(t, redis, { current: old, previous: next })
    const changed = await openStore(t, redis, { current: next, previous: old })
    await changed.store.update(first.id, wrongCode)
    t.equal((await prepared.store.get(first.id))?.wrongCodes, 1, 'an instance that knows both reads what either wrote')
    t.same(await changed.store.get(second.id), second)
    await changed.store.sealAgain()
    const after = await openStore(t, redis, { current: next })
    t.same(await allIds(after.store), [first.id, second.id].sort())
    t.same(after.errors, [])
  })

  t.test('a record that cannot be read is none, and expires like the others', async (t) => {
    await emptied(t, redis)
    const { store, errors } = await openStore(t, redis, secrets)
    const [damaged, sound] = [newRecord(), newRecord()]
    for (const record of [damaged, sound]) await store.add(record, MANY)
    const { client } = await redis.connect(t)
    await client.hset(`local-send:session:{${damaged.id}}`, 'sealed', 'damaged', 'version', 'otherone')
    t.equal(await store.get(damaged.id), undefined)
    t.same(await allIds(store), [sound.id])
    t.ok(errors.length > 0)
    t.same([...await store.expired(NOW + HOUR)].sort(), [damaged.id, sound.id].sort())
    t.equal(await store.delete(damaged.id), undefined)
    t.same(await store.expired(NOW + HOUR), [sound.id])
  })

  t.test('without Redis everything fails at once, and works again when it is back', async (t) => {
    await emptied(t, redis)
    const { store } = await openStore(t, redis, secrets)
    const record = newRecord()
    await store.add(record, MANY)
    await redis.kill()
    const calls: ReadonlyArray<() => Promise<unknown>> = [
      () => store.get(record.id),
      () => store.update(record.id, wrongCode),
      () => store.delete(record.id),
      () => store.touch(record.id, NOW),
      () => store.add(newRecord(), MANY),
      () => store.expired(NOW),
      () => allIds(store)
    ]
    for (const call of calls) await t.rejects(call(), UNAVAILABLE)
    await redis.start()
    const back = await insist(() => store.update(record.id, wrongCode))
    t.same(back, { outcome: true })
    t.equal((await store.get(record.id))?.wrongCodes, 1, 'what had been answered is there, what had not is not')
  })

  t.test('a change whose answer was lost is made once', async (t) => {
    await emptied(t, redis)
    const { store } = await openStore(t, redis, secrets)
    const record = newRecord()
    await store.add(record, MANY)
    await store.get(record.id)
    redis.freeze()
    const changing = store.update(record.id, wrongCode).catch((error: unknown) => error)
    await t.rejects(store.get(newSessionId()), UNAVAILABLE, 'nobody waits for a Redis that hangs')
    redis.thaw()
    const outcome = await changing
    const expected = outcome instanceof Error ? 0 : 1
    await insist(() => store.get(record.id))
    t.equal((await store.get(record.id))?.wrongCodes, expected)
  })
}

import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { randomBytes } from '../../lib/crypto/bytes.js'
import { newSessionId } from '../../lib/new-ids.js'
import { RedisConnection } from '../../lib/redis/redis-connection.js'
import { parseRedisUrl } from '../../lib/redis/redis-url.js'
import { RedisEventHub } from '../../lib/sessions/redis-event-hub.js'
import { RedisStore } from '../../lib/sessions/redis-store.js'
import { createCertificate } from '../helpers/certificate.js'
import { call } from '../helpers/client.js'
import { sharedSettings } from '../helpers/instances.js'
import { freePort } from '../helpers/nginx.js'
import { spawnServer } from '../helpers/process.js'
import { TestRedis } from '../helpers/redis.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs, REDIS } from '../helpers/services.js'
import { locked, recorder } from '../sessions/event-hub-contract.js'
import { wrongCode } from '../sessions/embedded.js'
import { HOUR, newRecord, NOW } from '../sessions/records.js'

const PASSWORD = 'a password: of/Redis'
const secrets = { current: randomBytes(32) }

/** Whether what uses Redis works there: every script, and the channels. */
async function check (t: Test, url: string): Promise<void> {
  const redis = await RedisConnection.open(parseRedisUrl(url))
  t.teardown(() => redis.close())
  const errors: unknown[] = []
  const onError = (error: unknown): void => { errors.push(error) }
  const store = await RedisStore.open({ redis, secrets, onError })
  const record = newRecord()
  t.equal(await store.add(record, 10), 'added')
  await store.update(record.id, wrongCode)
  await store.touch(record.id, NOW + 1)
  t.match(await store.get(record.id), { wrongCodes: 1, lastUsedAt: NOW + 1 })
  t.same(await store.expired(NOW + 2 * HOUR), [record.id])
  t.ok(await store.delete(record.id))

  const hub = await RedisEventHub.open({ redis, secrets, onError })
  const session = newSessionId()
  const listener = recorder()
  await hub.subscribe(session, undefined, listener)
  hub.publish(session, locked)
  hub.publish(session, { type: 'session.closed' })
  await listener.hears(2)
  t.same(listener.types(), ['session.locked', 'session.closed'])
  t.same(errors, [])
}

if (await needs(t, 'redis')) {
  t.test('a server with a user, a password and a database', async (t) => {
    const redis = await TestRedis.start(t, '--user', 'send', 'on', `>${PASSWORD}`, '~local-send:*', '&local-send:*', '+@all')
    const { port } = redis
    await check(t, `redis://send:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/3`)
    const wrong = await RedisConnection.open(parseRedisUrl(`redis://send:wrong@127.0.0.1:${port}`)).catch((error: unknown) => error)
    t.match(wrong, { name: 'ConfigError', message: /^REDIS_URL must lead to a Redis that answers/ })
  })

  t.test('a cluster', async (t) => {
    const redis = await TestRedis.start(t, '--cluster-enabled', 'yes', '--cluster-port', String(await freePort()), '--cluster-announce-ip', '127.0.0.1')
    const { client } = await redis.connect(t)
    await client.call('cluster', ['addslotsrange', '0', '16383'])
    while (!String(await client.call('cluster', ['info'])).includes('cluster_state:ok')) await delay(50)
    await check(t, `redis+cluster://127.0.0.1:${redis.port}`)
  })

  t.test('Sentinels that know the master', async (t) => {
    const redis = await TestRedis.start(t)
    const port = await freePort()
    const path = join(await temporaryFolder(t), 'sentinel.conf')
    await writeFile(path, `port ${port}\nbind 127.0.0.1\nsentinel monitor themaster 127.0.0.1 ${redis.port} 1\n`)
    const sentinel = spawn(REDIS, [path, '--sentinel'], { stdio: 'ignore' })
    t.teardown(() => sentinel.kill('SIGKILL'))
    const probe = async (): Promise<boolean> => {
      try {
        (await RedisConnection.open(parseRedisUrl(`redis://127.0.0.1:${port}`))).close()
        return true
      } catch {
        return false
      }
    }
    while (!await probe()) await delay(50)
    await check(t, `redis+sentinel://127.0.0.1:${port}/themaster`)
  })

  t.test('TLS, verified', async (t) => {
    if (!await needs(t, 'openssl')) return
    const { certFile, keyFile } = await createCertificate(await temporaryFolder(t))
    const port = await freePort()
    const redis = await TestRedis.start(t, '--tls-port', String(port), '--tls-cert-file', certFile, '--tls-key-file', keyFile, '--tls-auth-clients', 'no')
    const settings = { ...await sharedSettings(t, redis), REDIS_URL: `rediss://127.0.0.1:${port}` }
    const stranger = await spawnServer(t, settings)
    t.equal(await stranger.exit, 1)
    t.match(stranger.output(), /^local-send cannot start: REDIS_URL must lead to a Redis that answers/)
    const server = await spawnServer(t, { ...settings, NODE_EXTRA_CA_CERTS: certFile })
    t.equal((await call(`${server.origin}/health/ready`)).status, 200)
  })
}

import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { RedisConnection } from '../../lib/redis/redis-connection.js'
import { parseRedisUrl } from '../../lib/redis/redis-url.js'
import { TestRedis } from '../helpers/redis.js'
import { needs } from '../helpers/services.js'

t.test('channels are listened to again after a break, also where Redis hangs in that very moment', async (t) => {
  if (!await needs(t, 'redis')) return
  const redis = await TestRedis.start(t)
  const failures = new EventEmitter()
  const connection = await RedisConnection.open(parseRedisUrl(redis.url), () => { failures.emit('failure') })
  t.teardown(() => { connection.close() })
  const heard: string[] = []
  let restored = 0
  const isRestored = new Promise<void>((resolve) => {
    connection.onRestored(() => {
      restored += 1
      resolve()
      return Promise.resolve()
    })
  })
  connection.subscriber.on('message', (channel: string, message: string) => { heard.push(`${channel}: ${message}`) })
  await connection.subscribe('one')
  await connection.subscribe('two')

  await redis.kill()
  // Before the channels are asked for.
  connection.subscriber.prependOnceListener('ready', () => { redis.freeze() })
  await Promise.all([redis.start(), once(connection.subscriber, 'ready')])
  await once(failures, 'failure')
  t.equal(restored, 0, 'nothing is restored while it hangs')
  redis.thaw()
  await isRestored

  for (const channel of ['one', 'two']) await connection.run((client) => client.publish(channel, 'hello'))
  while (heard.length < 2) await once(connection.subscriber, 'message')
  t.same(heard, ['one: hello', 'two: hello'])

  connection.unsubscribe('two')
  t.equal(await connection.run((client) => client.publish('two', 'nobody')), 0)
})

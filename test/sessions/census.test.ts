import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { RecentCensus } from '../../lib/sessions/census.js'
import type { SessionRecord } from '../../lib/sessions/session.js'
import { newRecord } from './records.js'

/** Records that take a while to read. */
async function * slowly (records: readonly SessionRecord[], onRead: () => void): AsyncGenerator<SessionRecord> {
  onRead()
  await delay(100)
  yield * records
}

t.test('a census that takes long is not taken for everybody who asks', async (t) => {
  let reads = 0
  let records = [newRecord()]
  const recent = new RecentCensus(() => slowly(records, () => { reads += 1 }))
  const two = await Promise.all([recent.take(), recent.take()])
  t.same(two.map(({ sessions }) => sessions.managed.created), [1, 1])
  records = [newRecord(), newRecord()]
  t.equal((await recent.take()).sessions.managed.created, 1)
  t.equal(reads, 1)
  while ((await recent.take()).sessions.managed.created === 1) await delay(50)
  t.equal(reads, 2, 'but for who comes later')
})

t.test('one that failed is taken anew', async (t) => {
  let isAway = true
  const recent = new RecentCensus(() => {
    if (isAway) throw new Error('away')
    return slowly([newRecord()], () => {})
  })
  await t.rejects(recent.take(), { message: 'away' })
  isAway = false
  t.equal((await recent.take()).sessions.managed.created, 1)
})

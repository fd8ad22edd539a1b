import { Readable } from 'node:stream'
import t from 'tap'
import { RecentCensus } from '../../lib/sessions/census.js'
import type { SessionRecord } from '../../lib/sessions/session.js'
import { newRecord } from './records.js'

const stream = (records: readonly SessionRecord[]): AsyncIterable<SessionRecord> => Readable.from(records)

t.test('a census that takes long is not taken for everybody who asks', async (t) => {
  let now = 0
  let reads = 0
  let records = [newRecord()]
  const recent = new RecentCensus(() => {
    reads += 1
    now += 100
    return stream(records)
  }, () => now)
  const two = await Promise.all([recent.take(), recent.take()])
  t.same(two.map(({ sessions }) => sessions.managed.created), [1, 1])
  records = [newRecord(), newRecord()]
  now += 900
  t.equal((await recent.take()).sessions.managed.created, 1)
  t.equal(reads, 1)
  now += 1
  t.equal((await recent.take()).sessions.managed.created, 2, 'but for who comes later')
  t.equal(reads, 2)
})

t.test('one that failed is taken anew', async (t) => {
  let isAway = true
  const recent = new RecentCensus(() => {
    if (isAway) throw new Error('away')
    return stream([newRecord()])
  })
  await t.rejects(recent.take(), { message: 'away' })
  isAway = false
  t.equal((await recent.take()).sessions.managed.created, 1)
})

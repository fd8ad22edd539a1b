import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { MemoryBudget } from '../../lib/files/memory-budget.js'
import { newSessionId } from '../../lib/new-ids.js'
import { eventually } from '../helpers/events.js'

const { signal } = new AbortController()

t.test('a session keeps its only transfer even while others of it take long to end', async (t) => {
  const [hog, other] = [newSessionId(), newSessionId()]
  const budget = new MemoryBudget(3, 1, 10_000)
  let told = 0
  const lanes = await Promise.all(Array.from({ length: 3 }, () => budget.admit({ signal, sessionId: hog, abort: () => { told += 1 } })))
  // Later than all of them are taken to stand still.
  const now = performance.now.bind(performance)
  t.teardown(() => { performance.now = now })
  performance.now = () => now() + 60_000
  const waiting = budget.admit({ signal, sessionId: other })
  await eventually(() => told === 2)
  // Longer than each of them has for it.
  await delay(2500)
  t.equal(told, 2)
  for (const lane of lanes) lane.close()
  const lane = await waiting
  lane.close()
  t.equal(budget.used, 0)
})

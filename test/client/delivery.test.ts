import t, { type Test } from 'tap'
import { Delivery } from '../../client/delivery.js'
import type { JoinId } from '../../lib/ids.js'
import { newJoinId } from '../../lib/new-ids.js'
import { memberOf } from './fixtures/member.js'
import { startStub } from './fixtures/stub.js'

const bob = newJoinId()
const TIME = '2030-01-01T00:00:00.000Z'

/** A delivery of nothing to two, and a server that says how many of them are there. */
async function deliveryTo (t: Test, joinedBefore: readonly JoinId[]) {
  const there = { joiners: 0, failures: 0 }
  const { origin } = await startStub(t, ({ path }) => {
    if (there.failures-- > 0) return { status: 502 }
    if (path.includes('/files')) return { body: { files: [], next_cursor: null } }
    const limits = { max_file_size: 1, max_session_size: 1, max_files: 1, max_joiners: 2, max_downloads: null }
    const participants = ['creator', ...Array<string>(there.joiners).fill('joiner')].map((role) => ({ role, joined_at: TIME }))
    return { body: { session_id: member.sessionId, status: 'joined', kind: 'end-to-end', role: 'creator', participants, expires_at: TIME, limits } }
  })
  const member = memberOf(origin, 2)
  const nothing = (): void => {}
  const delivery = new Delivery({ connection: { server: origin }, member, sources: [], receivers: 2, joinedBefore, signal: new AbortController().signal, onSent: nothing, onFailed: nothing, onProgress: nothing })
  return { there, delivery }
}

t.test('a server that is not there at once is asked again who has joined', async (t) => {
  const { there, delivery } = await deliveryTo(t, [bob])
  there.failures = 2
  await delivery.catchUp()
  t.ok(there.failures < 0)
})

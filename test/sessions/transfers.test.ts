import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { newJoinId, newSessionId } from '../../lib/new-ids.js'
import { ServiceEvents } from '../../lib/service-events.js'
import { Transfers } from '../../lib/sessions/transfers.js'

const nobody = new AbortController().signal

t.test('abort ends the transfers of a session, or of one participant of it, and no other', (t) => {
  const [session, other] = [newSessionId(), newSessionId()]
  const joiner = newJoinId()
  const setUp = () => {
    const transfers = new Transfers(new ServiceEvents())
    const begun = {
      creator: transfers.begin('upload', session, 'creator', nobody),
      joiner: transfers.begin('upload', session, joiner, nobody),
      secondOfJoiner: transfers.begin('upload', session, joiner, nobody),
      creatorElsewhere: transfers.begin('upload', other, 'creator', nobody)
    }
    return { transfers, aborted: () => Object.entries(begun).filter(([, { signal }]) => signal.aborted).map(([name]) => name), begun }
  }
  const bySession = setUp()
  bySession.transfers.abort(session)
  t.same(bySession.aborted(), ['creator', 'joiner', 'secondOfJoiner'])
  t.match(bySession.begun.creator.signal.reason, { code: 'SESSION_CLOSED' })

  const byParticipant = setUp()
  byParticipant.transfers.abort(session, joiner)
  t.same(byParticipant.aborted(), ['joiner', 'secondOfJoiner'])
  byParticipant.transfers.abort(newSessionId())
  byParticipant.transfers.abort(session, newJoinId())
  t.same(byParticipant.aborted(), ['joiner', 'secondOfJoiner'])
  t.equal(byParticipant.transfers.size, 4, 'one that was aborted is still under way until it has cleaned up')
  t.end()
})

t.test('whatever ends a transfer, the first reason counts', (t) => {
  const id = newSessionId()
  const client = new AbortController()
  const transfers = new Transfers(new ServiceEvents())
  const transfer = transfers.begin('upload', id, 'creator', client.signal)
  transfer.abort(new Error('the disk failed'))
  transfers.abort(id)
  client.abort(new Error('the client went'))
  t.match(transfer.signal.reason, { message: 'the disk failed' })

  const left = transfers.begin('upload', id, 'creator', client.signal)
  t.ok(left.signal.aborted, 'a client that had gone before')
  t.match(left.signal.reason, { message: 'the client went' })
  t.end()
})

t.test('a transfer counts until it has ended, once', (t) => {
  const transfers = new Transfers(new ServiceEvents())
  const [first, second] = [newSessionId(), newSessionId()]
  const transfer = transfers.begin('upload', first, 'creator', nobody)
  transfers.begin('upload', first, 'creator', nobody)
  transfers.begin('upload', second, 'creator', nobody)
  t.same([...transfers.sessions()], [first, first, second])
  transfer.end()
  transfer.end()
  t.equal(transfers.size, 2)
  t.same([...transfers.sessions()], [first, second])
  t.end()
})

t.test('stop refuses new transfers, aborts the others and waits until all have cleaned up', async (t) => {
  const transfers = new Transfers(new ServiceEvents())
  const begun = [transfers.begin('upload', newSessionId(), 'creator', nobody), transfers.begin('upload', newSessionId(), 'creator', nobody)]
  let stopped = 0
  const stopping = [transfers.stop(), transfers.stop()].map((stop) => stop.then(() => { stopped += 1 }))
  for (const { signal } of begun) t.match(signal.reason, { code: 'SERVER_STOPPING', retryAfter: 5 })
  t.throws(() => transfers.begin('upload', newSessionId(), 'creator', nobody), { code: 'SERVER_STOPPING', retryAfter: 5 })
  for (const { end } of begun) {
    await turn()
    t.equal(stopped, 0)
    end()
  }
  await turn()
  t.equal(stopped, 2, 'every caller of stop is told')
  if (stopped === 2) await Promise.all(stopping)
})

t.test('stop with nothing under way', async (t) => {
  const transfers = new Transfers(new ServiceEvents())
  await transfers.stop()
  t.throws(() => transfers.begin('upload', newSessionId(), 'creator', nobody), { code: 'SERVER_STOPPING' })
})

t.test('transfers that end within the grace are not aborted, and nobody waits longer for them', async (t) => {
  const transfers = new Transfers(new ServiceEvents())
  const transfer = transfers.begin('upload', newSessionId(), 'creator', nobody)
  const stopping = transfers.stop(1_000_000)
  t.throws(() => transfers.begin('upload', newSessionId(), 'creator', nobody), { code: 'SERVER_STOPPING' }, 'no new ones meanwhile')
  await turn()
  t.notOk(transfer.signal.aborted)
  transfer.end()
  await stopping
  t.notOk(transfer.signal.aborted)
})

t.test('transfers that outlast the grace are aborted', async (t) => {
  const transfers = new Transfers(new ServiceEvents())
  const transfer = transfers.begin('upload', newSessionId(), 'creator', nobody)
  const aborted = new Promise((resolve) => { transfer.signal.addEventListener('abort', resolve, { once: true }) })
  const stopping = transfers.stop(5)
  // The server's socket would do it.
  const alive = setInterval(() => {}, 1000)
  await aborted
  clearInterval(alive)
  t.match(transfer.signal.reason, { code: 'SERVER_STOPPING' })
  transfer.end()
  await stopping
})

import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Turns, type Turn } from '../../lib/files/turns.js'
import { newFileId } from '../../lib/new-ids.js'

const LOCKED = { code: 'UPLOAD_LOCKED' }
/** Long enough for whoever waits to have looked several times. */
const A_WHILE = 200
const id = newFileId()

/** A clock that stands still until it is set forward. */
function stoppedClock (t: Test): { forward: (milliseconds: number) => void } {
  let now = 1_000_000
  t.intercept(Date, 'now', { value: () => now })
  return { forward: (milliseconds) => { now += milliseconds } }
}

/** Whether a turn that was asked for has been given. */
function watch (asked: Promise<Turn>): { readonly turn: Promise<Turn>, readonly given: () => boolean } {
  let given = false
  const turn = asked.then((turn) => {
    given = true
    return turn
  })
  turn.catch(() => {})
  return { turn, given: () => given }
}

t.test('whoever waits has the turn when it ends, and each upload has its own', async (t) => {
  stoppedClock(t)
  const turns = new Turns()
  const first = await turns.take(id)
  const others = [watch(turns.take(id)), watch(turns.take(id))]
  ;(await turns.take(newFileId())).end()
  await delay(A_WHILE)
  t.same(others.map(({ given }) => given()), [false, false])
  t.notOk(first.signal.aborted)
  first.end()
  const second = await Promise.race(others.map(({ turn }) => turn))
  await delay(A_WHILE)
  t.equal(others.filter(({ given }) => given()).length, 1, 'only one of them')
  second.end()
  for (const { turn } of others) await turn
})

t.test('who hangs is interrupted, and has the time to put down what had come', async (t) => {
  const clock = stoppedClock(t)
  const turns = new Turns()
  const hanging = await turns.take(id)
  const next = watch(turns.take(id))
  clock.forward(900)
  hanging.touch()
  clock.forward(900)
  await delay(A_WHILE)
  t.notOk(hanging.signal.aborted, 'something has come in the last second')
  const interrupted = once(hanging.signal, 'abort')
  clock.forward(200)
  await interrupted
  t.match(hanging.signal.reason, LOCKED)
  await delay(A_WHILE)
  t.notOk(next.given())
  hanging.end()
  t.notOk((await next.turn).signal.aborted)
})

t.test('who goes on is left alone, and the one who waits is told', async (t) => {
  const clock = stoppedClock(t)
  const turns = new Turns()
  const writing = await turns.take(id)
  const waiting = turns.take(id)
  clock.forward(5001)
  writing.touch()
  await t.rejects(waiting, LOCKED)
  t.notOk(writing.signal.aborted)
  const next = watch(turns.take(id))
  writing.end()
  t.ok(await next.turn)
})

t.test('who deletes waits for nobody', async (t) => {
  stoppedClock(t)
  const turns = new Turns()
  const writing = await turns.take(id)
  const seizing = watch(turns.take(id, 'seize'))
  t.match(writing.signal.reason, LOCKED, 'it is told at once')
  await delay(A_WHILE)
  t.notOk(seizing.given())
  writing.end()
  t.notOk((await seizing.turn).signal.aborted)
})

import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { toHex } from '../../lib/crypto/bytes.js'
import { IN_FLIGHT, inFlight, takeHead } from '../../lib/crypto/streams.js'
import { collect, pattern, watched } from './fixtures/helpers.js'

/** The numbers from 0, noting how many were asked for and whether the reader closed it. */
const numbers = (count: number) => {
  const state = { asked: 0, closed: false }
  const items = async function * () {
    try {
      for (let i = 0; i < count; i++) {
        state.asked++
        yield await Promise.resolve(i)
      }
    } finally {
      state.closed = true
    }
  }
  return { state, items: items() }
}

t.test('results come in order, whatever order the work ends in', async (t) => {
  for (const count of [0, 1, IN_FLIGHT - 1, IN_FLIGHT, IN_FLIGHT + 1, 20]) {
    const results: number[] = []
    const work = async (i: number) => {
      for (let turn = i % 4; turn < 4; turn++) await setImmediate()
      return i
    }
    for await (const result of inFlight(numbers(count).items, work)) results.push(result)
    t.same(results, Array.from({ length: count }, (_, i) => i), `count=${count}`)
  }
})

t.test('so many at once, and no more', async (t) => {
  let running = 0
  let most = 0
  const work = async (i: number) => {
    most = Math.max(most, ++running)
    await setImmediate()
    running--
    return i
  }
  for await (const result of inFlight(numbers(20).items, work)) t.equal(running <= IN_FLIGHT, true, `result=${result}`)
  t.equal(most, IN_FLIGHT)
})

t.test('nothing is asked for before there is room', async (t) => {
  const { state, items } = numbers(20)
  const results = inFlight(items, (i) => Promise.resolve(i))
  t.equal(state.asked, 0)
  await results.next()
  await setImmediate()
  t.equal(state.asked, IN_FLIGHT)
  await results.next()
  await setImmediate()
  t.equal(state.asked, IN_FLIGHT + 1)
  await results.return()
})

t.test('a reader that stops early waits for what was begun', async (t) => {
  const { state, items } = numbers(20)
  let running = 0
  const work = async (i: number) => {
    running++
    for (let turn = 0; turn < 10 * i; turn++) await setImmediate()
    running--
    return i
  }
  for await (const result of inFlight(items, work)) if (result === 0) break
  t.equal(state.closed, true)
  t.equal(running, 0)
})

for (const failing of [[0], [1], [2], [0, 1, 2], [1, 2], [19], [18, 19]]) {
  t.test(`work fails at ${failing.join()}: in its turn, with nothing left behind`, async (t) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    t.teardown(() => process.off('unhandledRejection', note))
    const { state, items } = numbers(20)
    const results: number[] = []
    const work = (i: number) => failing.includes(i) ? Promise.reject(new Error(`work ${i} failed`)) : Promise.resolve(i)
    await t.rejects(async () => {
      for await (const result of inFlight(items, work)) {
        results.push(result)
        await setImmediate()
      }
    }, { message: `work ${Math.min(...failing)} failed` })
    t.same(results, Array.from({ length: Math.min(...failing) }, (_, i) => i))
    t.equal(state.closed, true)
    await setImmediate()
    t.same(unhandled, [])
  })
}

t.test('failing items fail the results', async (t) => {
  await t.rejects(collect(inFlight(watched(pattern(10), 1, 5), (piece) => Promise.resolve(piece))), /the source failed/)
})

t.test('the head of a stream, in pieces of any size', async (t) => {
  for (const step of [1, 2, 4, 5, 6, 20]) {
    for (const len of [0, 1, 4, 5, 6, 12]) {
      const source = watched(pattern(len), step)
      const { head, rest } = await takeHead(source[Symbol.asyncIterator](), 5)
      t.equal(toHex(head), toHex(pattern(len).subarray(0, 5)), `head len=${len},step=${step}`)
      t.equal(toHex(await collect(rest)), toHex(pattern(len).subarray(5)), `rest len=${len},step=${step}`)
      t.equal(source.closed, 0, 'left to whoever opened it')
    }
  }
})

import { getEventListeners } from 'node:events'
import t from 'tap'
import type { Bytes } from '../../lib/crypto/bytes.js'
import { LocalSendError } from '../../lib/errors.js'
import { abortable, begun, interruptible, limited, splitHead } from '../../lib/files/streams.js'
import { collect, pattern, watched } from '../crypto/fixtures/helpers.js'

const bytes = pattern(10)

/** A source that gives one piece and then nothing for ever. */
function stuck (): AsyncIterable<Uint8Array> & { closed: number } {
  const source = {
    closed: 0,
    [Symbol.asyncIterator]: () => {
      let first = true
      return {
        next: (): Promise<IteratorResult<Uint8Array, undefined>> => {
          if (!first) return new Promise(() => {})
          first = false
          return Promise.resolve({ done: false, value: bytes })
        },
        return: (): Promise<IteratorResult<Uint8Array, undefined>> => {
          source.closed++
          // As a generator does that waits for something itself.
          return new Promise(() => {})
        }
      }
    }
  }
  return source
}

/** What came of a stream until it ended or broke, and what broke it. */
async function read (stream: AsyncIterable<Uint8Array>): Promise<{ pieces: number[], error?: unknown }> {
  const pieces: number[] = []
  try {
    for await (const piece of stream) pieces.push(piece.length)
    return { pieces }
  } catch (error) {
    return { pieces, error }
  }
}

t.test('abortable: the same stream, whatever its end', async (t) => {
  const { signal } = new AbortController()
  const whole = watched(bytes, 4)
  t.same(await collect(abortable(whole, signal)), bytes)
  t.match(await read(abortable(watched(bytes, 4, 2), signal)), { pieces: [4, 4], error: { message: 'the source failed' } })
  const left = watched(bytes, 4)
  const reader = abortable(left, signal)
  await reader.next()
  await reader.return()
  t.match({ asked: left.asked, closed: left.closed }, { asked: 1, closed: 1 }, 'a reader that stops ends the source')
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

t.test('abortable: the signal ends it, even while nothing comes', async (t) => {
  const reason = new Error('enough')
  const controller = new AbortController()
  const source = stuck()
  const reading = read(abortable(source, controller.signal))
  setImmediate(() => { controller.abort(reason) })
  t.same(await reading, { pieces: [10], error: reason })
  t.equal(source.closed, 1, 'the source is told, and not waited for')
  t.equal(getEventListeners(controller.signal, 'abort').length, 0)

  const untouched = watched(bytes, 4)
  t.same(await read(abortable(untouched, AbortSignal.abort(reason))), { pieces: [], error: reason })
  t.equal(untouched.asked, 0)
})

t.test('limited: up to its length, and not the piece that goes beyond', async (t) => {
  let told = 0
  t.same(await read(limited(watched(bytes, 4), 10, () => { told += 1 })), { pieces: [4, 4, 2] })
  t.equal(told, 3)
  const long = watched(bytes, 4)
  t.match(await read(limited(long, 9)), { pieces: [4, 4], error: { code: 'UPLOAD_TOO_LONG' } })
  t.equal(long.closed, 1)
  t.same(await read(limited(watched(bytes, 4), Number.POSITIVE_INFINITY)), { pieces: [4, 4, 2] })
  t.match(await read(limited(watched(bytes, 4), 0)), { pieces: [], error: { code: 'UPLOAD_TOO_LONG' } })
})

t.test('interruptible: ends where it breaks, and says why', async (t) => {
  const { signal } = new AbortController()
  const whole = interruptible(watched(bytes, 4), signal)
  t.same(await read(whole.stream), { pieces: [4, 4, 2] })
  t.equal(whole.interruption(), undefined)

  const failing = interruptible(watched(bytes, 4, 1), signal)
  t.same(await read(failing.stream), { pieces: [4] })
  t.match(failing.interruption(), { code: 'UPLOAD_INCOMPLETE', cause: { message: 'the source failed' } })

  const telling = interruptible(limited(watched(bytes, 4), 5), signal)
  t.same(await read(telling.stream), { pieces: [4] })
  t.match(telling.interruption(), { code: 'UPLOAD_TOO_LONG' }, 'what has a name keeps it')

  for (const reason of [new LocalSendError('UPLOAD_LOCKED'), 'no error at all']) {
    const controller = new AbortController()
    const stopped = interruptible(stuck(), controller.signal)
    const reading = read(stopped.stream)
    setImmediate(() => { controller.abort(reason) })
    t.same(await reading, { pieces: [10] })
    const interruption = stopped.interruption()
    t.equal(reason instanceof Error ? interruption : interruption?.cause, reason)
  }
})

t.test('begun: fails early, and asks for nothing ahead', async (t) => {
  const source = watched(bytes, 4)
  const stream = await begun(source)
  t.equal(source.asked, 1)
  t.same(await collect(stream), bytes)
  t.same(await collect(await begun(watched(new Uint8Array(), 4))), new Uint8Array())
  await t.rejects(begun(watched(bytes, 4, 0)), { message: 'the source failed' })
  t.match(await read(await begun(watched(bytes, 4, 1))), { pieces: [4], error: { message: 'the source failed' } })
})

t.test('splitHead: a beginning that is still part of the whole', async (t) => {
  for (const [atLeast, expected] of [[0, 0], [1, 4], [4, 4], [5, 8], [9, 10], [11, 10]] as const) {
    const source = watched(bytes, 4)
    const { head, source: whole } = await splitHead(source, atLeast)
    t.same(Buffer.from(head), Buffer.from(bytes.subarray(0, expected)), `at least ${atLeast}`)
    t.same(await collect(whole), bytes)
  }
  const empty: Bytes = new Uint8Array()
  t.same(await collect((await splitHead(watched(empty, 4), 5)).source), empty)
  await t.rejects(splitHead(watched(bytes, 4, 1), 5), { message: 'the source failed' })
})

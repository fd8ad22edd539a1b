/**
 * What the streams of containers are made of (protocol local-send/1, section 5): a header taken off, and a few chunks under
 * way at once.
 *
 * Invariant: results come in the order of their items, nothing is asked for before there is room for it, and nothing that was
 * begun is left behind: not a running promise, not an unhandled rejection.
 */

import { concat, type Bytes } from './bytes.js'

/** Chunks that are sealed or opened at the same time. More of them bring no speed and cost memory. */
export const IN_FLIGHT = 3

/** The beginning of a stream, and the stream after it. */
export interface Head {
  /** The first bytes: as many as were asked for, fewer only if the stream has ended. */
  readonly head: Bytes
  /** What follows. It leaves the iterator open: whoever gave it to {@link takeHead} closes it. */
  readonly rest: AsyncIterable<Uint8Array>
}

/** Takes the first `size` bytes off a stream. */
export const takeHead = async (pieces: AsyncIterator<Uint8Array>, size: number): Promise<Head> => {
  const borrowed = { [Symbol.asyncIterator]: () => ({ next: () => pieces.next() }) }
  let taken = new Uint8Array()
  for await (const piece of borrowed) {
    taken = concat(taken, piece)
    if (taken.length >= size) break
  }
  return { head: taken.subarray(0, size), rest: prepend(taken.subarray(size), borrowed) }
}

async function * prepend (first: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield first
  yield * rest
}

/**
 * Does `work` on every item, on {@link IN_FLIGHT} of them at once, and gives the results in order. `work` is called as soon as
 * its item has come and before the next one is asked for. A failure comes out in its turn; on failure, and when the reader
 * stops early, the items are closed and everything begun is waited for.
 */
export async function * inFlight<Item, Result> (items: AsyncIterable<Item>, work: (item: Item) => Promise<Result>): AsyncGenerator<Result, void, undefined> {
  const begun: Array<Promise<Result>> = []
  try {
    for await (const item of items) {
      begun.push(handled(work(item)))
      if (begun.length === IN_FLIGHT) yield * begun.splice(0, 1)
    }
    yield * begun
  } finally {
    await Promise.allSettled(begun)
  }
}

/** The same promise; it may fail before its turn has come without counting as unhandled. */
const handled = <Result>(promise: Promise<Result>): Promise<Result> => {
  promise.catch(() => undefined)
  return promise
}

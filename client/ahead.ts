/** Streams whose next item is being made while the one before is in use, and streams that can be left at any moment. */

/**
 * The items of a stream, each asked for when the one before it is handed out: at most two exist at a time. When the reader stops
 * early, the stream's own signal fires, what is being made is waited for, and the stream closed.
 *
 * @param make - begins the stream
 */
export async function * ahead<Item> (make: (signal: AbortSignal) => AsyncGenerator<Item, void, undefined>, signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
  const left = new AbortController()
  const source = make(AbortSignal.any([signal, left.signal]))
  let next = ask(source)
  try {
    for (;;) {
      const { value, done } = await next
      if (done === true) return
      next = ask(source)
      yield value
    }
  } finally {
    left.abort()
    await source.return()
  }
}

/** The next item; it may fail before anybody waits for it without counting as unhandled. */
const ask = <Item>(source: AsyncGenerator<Item, void, undefined>): Promise<IteratorResult<Item, void>> => {
  const asked = source.next()
  asked.catch(() => undefined)
  return asked
}

/**
 * The items of `source` until the signal fires, even if the source is waiting for something that never comes, as a terminal may.
 *
 * @throws the signal's reason
 */
export async function * interruptible<Item> (source: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item, void, undefined> {
  signal.throwIfAborted()
  const iterator = source[Symbol.asyncIterator]()
  let wake = (): void => undefined
  const onAbort = (): void => { wake() }
  signal.addEventListener('abort', onAbort)
  try {
    for (;;) {
      const { value, done } = await new Promise<IteratorResult<Item, unknown>>((resolve, reject) => {
        wake = () => { reject(asError(signal.reason)) }
        iterator.next().then(resolve, reject)
      })
      if (done === true) return
      yield value
      signal.throwIfAborted()
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    const closed = iterator.return?.()
    if (signal.aborted) closed?.catch(() => undefined)
    else await closed
  }
}

const asError = (reason: unknown): Error => reason instanceof Error ? reason : new Error(String(reason))

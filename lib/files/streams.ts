import { concat } from '../crypto/bytes.js'
import { LocalSendError } from '../errors.js'

/**
 * Reads the beginning of a stream without losing it. Its pieces must stay valid when the next ones are asked for.
 * @param atLeast - bytes that the beginning has, unless the whole stream has fewer; how they were cut on their way is chance, or
 *   the sender's choice
 * @returns the beginning, whole pieces of the stream, and the whole stream, beginning included
 */
export async function splitHead (stream: AsyncIterable<Uint8Array>, atLeast: number): Promise<{ head: Uint8Array, source: AsyncIterable<Uint8Array> }> {
  const iterator = stream[Symbol.asyncIterator]()
  const pieces: Uint8Array[] = []
  for (let length = 0; length < atLeast;) {
    const next = await iterator.next()
    if (next.done === true) break
    pieces.push(next.value)
    length += next.value.length
  }
  const [first = new Uint8Array()] = pieces
  const head = pieces.length > 1 ? concat(...pieces) : first
  return { head, source: prepend(head, { [Symbol.asyncIterator]: () => iterator }) }
}

/** The same stream as soon as its first item has come: what fails before that fails here. No item is asked for ahead of its turn. */
export async function begun <Item> (stream: AsyncIterable<Item>): Promise<AsyncIterable<Item>> {
  const iterator = stream[Symbol.asyncIterator]()
  const first = await iterator.next()
  const rest = { [Symbol.asyncIterator]: () => iterator }
  return first.done === true ? rest : prepend(first.value, rest)
}

async function * prepend <Piece> (head: Piece, rest: AsyncIterable<Piece>): AsyncGenerator<Piece, void> {
  yield head
  yield * rest
}

/** The same stream; whatever breaks it, its reader learns that the upload did not arrive whole. */
export async function * arriving (stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield * stream
  } catch (cause) {
    throw new LocalSendError('UPLOAD_INCOMPLETE', { cause })
  }
}

/**
 * The same items until the signal fires: then its reason is thrown, even while the source waits for what may never come. The
 * source is told to end, but not waited for.
 */
export async function * abortable <Item> (source: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item, void> {
  const iterator = source[Symbol.asyncIterator]()
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => { reject(signal.reason as Error) }, { once: true })
  })
  aborted.catch(() => {})
  try {
    for (;;) {
      signal.throwIfAborted()
      const next = await Promise.race([iterator.next(), aborted])
      if (next.done === true) return
      yield next.value
    }
  } finally {
    Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

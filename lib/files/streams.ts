import { concat } from '../crypto/bytes.js'
import { isLocalSendError, LocalSendError } from '../errors.js'

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
    throw isLocalSendError(cause) ? cause : new LocalSendError('UPLOAD_INCOMPLETE', { cause })
  }
}

/**
 * The same items until the signal fires: then its reason is thrown, even while the source waits for what may never come. The
 * source is told to end, but not waited for.
 */
export async function * abortable <Item> (source: AsyncIterable<Item>, signal: AbortSignal): AsyncGenerator<Item, void> {
  const iterator = source[Symbol.asyncIterator]()
  let interrupt = (): void => {}
  const onAbort = (): void => { interrupt() }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    for (;;) {
      signal.throwIfAborted()
      // One promise for each item: racing against one that lives as long as the stream would pile up reactions on it.
      const next = await new Promise<IteratorResult<Item>>((resolve, reject) => {
        interrupt = () => { reject(signal.reason as Error) }
        iterator.next().then(resolve, reject)
      })
      if (next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', onAbort)
    Promise.resolve(iterator.return?.()).catch(() => {})
  }
}

/**
 * The same stream, as long as it keeps to its length.
 * @param onPiece - called whenever something has come
 * @throws LocalSendError UPLOAD_TOO_LONG instead of the first piece that goes beyond
 */
export async function * limited (stream: AsyncIterable<Uint8Array>, length: number, onPiece: () => void = () => {}): AsyncGenerator<Uint8Array, void> {
  let rest = length
  for await (const piece of stream) {
    onPiece()
    rest -= piece.length
    if (rest < 0) throw new LocalSendError('UPLOAD_TOO_LONG')
    yield piece
  }
}

/** A stream that ends where it breaks. */
export interface Interruptible {
  readonly stream: AsyncIterable<Uint8Array>
  /** What broke it; `undefined` if it came to its own end. To be asked when it has ended. */
  readonly interruption: () => Error | undefined
}

/**
 * The same stream, which ends instead of breaking: what has arrived of an upload that can be resumed is kept.
 * @param signal - ends it too, with its reason as the interruption
 */
export function interruptible (source: AsyncIterable<Uint8Array>, signal: AbortSignal): Interruptible {
  let interruption: Error | undefined
  async function * untilBroken (): AsyncGenerator<Uint8Array, void> {
    try {
      yield * arriving(abortable(source, signal))
    } catch (error) {
      const reason: unknown = signal.aborted ? signal.reason : error
      interruption = reason instanceof Error ? reason : new Error('the stream broke', { cause: reason })
    }
  }
  return { stream: untilBroken(), interruption: () => interruption }
}

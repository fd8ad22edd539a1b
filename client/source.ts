/** What can be sent: a name, what is said of it, and its bytes from any offset on. */

import { utf8, type Bytes } from '../lib/crypto/bytes.js'
import { ClientError } from './errors.js'

/** One thing to send: a file, a text, an empty folder or a stream. */
export interface Source {
  /** A relative path with `/`; the receiver makes it safe. */
  readonly name: string
  /** Bytes; `null` if nobody knows before the end, and then an interrupted process cannot go on with it. */
  readonly size: number | null
  /** A media type; may be empty. */
  readonly type: string
  /** When its content was last changed. */
  readonly modified: Date
  /** Permission bits, of which a receiver honours only the owner's execute bit. */
  readonly mode?: number
  readonly kind?: 'text' | 'directory'
  /**
   * What a journal knows it by: the same in every run, and no other source's. Without it, its name, and a number behind that if
   * the name comes more than once.
   */
  readonly key?: string
  /**
   * The bytes from `offset` to the end, in pieces of any size. A piece is used before the next one is asked for, so its buffer
   * may then be filled again. The iterator is closed on every path.
   *
   * @throws ClientError SOURCE_CHANGED if it is not what it was when this object was made, SOURCE_FAILED if it cannot be read
   */
  read (offset: number, signal: AbortSignal): AsyncIterable<Uint8Array>
  /** The same source as it is now, asked for after SOURCE_CHANGED; without it such a source fails. */
  renew? (): Promise<Source>
}

/** A Blob under a name; a browser's File brings its own. */
export function blobSource (blob: Blob, { name, modified = new Date(), ...rest }: { name: string, modified?: Date, kind?: 'text' | 'directory', key?: string }): Source {
  return {
    name,
    size: blob.size,
    type: blob.type,
    modified,
    ...rest,
    // One stream: in Chromium each slice is a call that another process answers, and the tab stands still until it does.
    read: (offset, signal) => piecesOf(blob.slice(offset).stream(), signal)
  }
}

async function * piecesOf (stream: ReadableStream<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader()
  try {
    for (;;) {
      signal.throwIfAborted()
      const { value, done } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

/** A text that somebody typed. */
export function textSource (text: string, { name = 'message.txt', modified = new Date() }: { name?: string, modified?: Date } = {}): Source {
  return { ...bytesSource(utf8(text), { name, modified, type: 'text/plain' }), kind: 'text' }
}

/** Bytes in memory under a name. */
export function bytesSource (bytes: Bytes, { name, type = '', modified = new Date() }: { name: string, type?: string, modified?: Date }): Source {
  return {
    name,
    size: bytes.length,
    type,
    modified,
    async * read (offset) {
      yield await Promise.resolve(bytes.subarray(offset))
    }
  }
}

/** An empty folder. */
export const directorySource = (name: string, modified: Date): Source => ({ ...bytesSource(new Uint8Array(), { name, modified }), kind: 'directory' })

/** A stream of unknown length, readable once. */
export function streamSource (stream: AsyncIterable<Uint8Array>, { name, type = '', modified = new Date() }: { name: string, type?: string, modified?: Date }): Source {
  return {
    name,
    size: null,
    type,
    modified,
    read (offset) {
      if (offset !== 0) throw new RangeError('A stream is read once, from its beginning.')
      return stream
    }
  }
}

/** Why a stream that an earlier process did not send to its end cannot be gone on with. */
export const streamInterrupted = (): ClientError =>
  new ClientError('SOURCE_FAILED', { detail: 'It was interrupted, and standard input cannot be read again: send it in a session of its own.' })

/**
 * A file behind a handle (https://fs.spec.whatwg.org). `createWritable` writes to another file beside it, which takes its
 * place when it is closed: until then, and after a crash for good, the handle's file is what it was before.
 */

import type { Bytes } from '../../lib/crypto/bytes.js'
import { ProblemError } from '../transfer/problem.js'
import type { PartialFile } from './place.js'

/** Bytes that are written at once: each write is a message to another process. */
const BATCH = 2 ** 22

/** Two buffers: what is in one is written while the other is filled. */
class Batches {
  readonly #stream: FileSystemWritableFileStream
  #buffer: Bytes | undefined
  #spare: Bytes | undefined
  #filled = 0
  #writing: Promise<unknown> = Promise.resolve()

  constructor (stream: FileSystemWritableFileStream) {
    this.#stream = stream
  }

  async add (bytes: Bytes): Promise<void> {
    for (let taken = 0; taken < bytes.length;) {
      this.#buffer ??= this.#spare ?? new Uint8Array(BATCH)
      const part = bytes.subarray(taken, taken + BATCH - this.#filled)
      this.#buffer.set(part, this.#filled)
      this.#filled += part.length
      taken += part.length
      if (this.#filled === BATCH) await this.flush()
    }
  }

  /** Begins to write what there is, when what was begun before is written. */
  async flush (): Promise<void> {
    await this.#writing
    if (this.#buffer === undefined || this.#filled === 0) return
    const full = this.#buffer
    this.#writing = this.#stream.write(full.subarray(0, this.#filled)).then(() => { this.#spare = full })
    // It is waited for before the next one, or the end.
    this.#writing.catch(() => undefined)
    this.#buffer = undefined
    this.#filled = 0
  }

  async end (): Promise<void> {
    await this.flush()
    await this.#writing
  }
}

/** What is done with a file at its ends. */
export interface Ends {
  /** It is whole. */
  readonly finish: () => Promise<Blob | undefined>
  /** It will not be. */
  readonly discard: () => Promise<void>
}

/** Begins to write a file. @throws ProblemError CANNOT_WRITE */
export async function writeTo (handle: FileSystemFileHandle, { finish, discard }: Ends): Promise<PartialFile> {
  const stream = await failing(() => handle.createWritable())
  const batches = new Batches(stream)
  const remove = async (): Promise<void> => {
    await stream.abort().catch(() => undefined)
    await discard().catch(() => undefined)
  }
  return {
    write: (bytes) => failing(() => batches.add(bytes)),
    finish: () => failing(async () => {
      await batches.end()
      await stream.close()
      return await finish()
    }),
    // Nothing of it stands anywhere before it is closed.
    suspend: remove,
    discard: remove
  }
}

/** What the file system says, as a problem that has a name. */
export async function failing<Result> (work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof ProblemError) throw cause
    throw new ProblemError({ code: cause instanceof DOMException && cause.name === 'QuotaExceededError' ? 'NO_ROOM' : 'CANNOT_WRITE' }, { cause })
  }
}

import { Readable } from 'node:stream'
import type { Transfer } from '../sessions/transfers.js'

/**
 * A stream that asks its source for the next piece only when its destination is done with the one before: a piece may then be
 * used again, or its memory given back. `pipe` is the way to read it; its pieces never lie in a Readable's buffer, from where
 * nobody would learn of it.
 */
export class PacedReadable extends Readable {
  readonly #source: AsyncIterable<Uint8Array>
  readonly #count: (bytes: number) => void
  #rest: number

  /**
   * @param length - bytes that the source has; `null` if nobody knows
   * @param transfer - its signal destroys the stream with its reason; what was sent is counted
   */
  constructor (source: AsyncIterable<Uint8Array>, length: number | null, { signal, count }: Pick<Transfer, 'signal' | 'count'>) {
    super({ signal })
    this.#source = source
    this.#count = count
    this.#rest = length ?? Number.POSITIVE_INFINITY
  }

  override pipe <Destination extends NodeJS.WritableStream> (destination: Destination, { end = true } = {}): Destination {
    if (end) this.once('end', () => { destination.end() })
    this.#send(destination).then(() => {
      this.push(null)
      this.resume()
    }, (error: unknown) => { this.destroy(error instanceof Error ? error : new Error(String(error))) })
    return destination
  }

  async #send (destination: NodeJS.WritableStream): Promise<void> {
    const iterator = this.#source[Symbol.asyncIterator]()
    for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
      if (this.destroyed) return
      await written(destination, next.value)
      this.#rest -= next.value.length
      this.#count(next.value.length)
      // Whoever knows the length may hang up now: to wait for the source's end would take the whole for a broken one.
      if (this.#rest === 0) return
    }
  }

  override _read (): void {
    // Nothing is read ahead.
  }
}

const written = (destination: NodeJS.WritableStream, piece: Uint8Array): Promise<void> =>
  new Promise((resolve, reject) => {
    destination.write(piece, (error) => { if (error) reject(error); else resolve() })
  })

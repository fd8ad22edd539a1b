import { Readable } from 'node:stream'

/**
 * A stream that asks its source for the next piece only when its destination is done with the one before: a piece may then be
 * used again, or its memory given back. `pipe` is the way to read it; its pieces never lie in a Readable's buffer, from where
 * nobody would learn of it.
 */
export class PacedReadable extends Readable {
  readonly #source: AsyncIterable<Uint8Array>

  /** @param signal - destroys the stream with its reason */
  constructor (source: AsyncIterable<Uint8Array>, signal: AbortSignal) {
    super({ signal })
    this.#source = source
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
    for await (const piece of this.#source) {
      if (this.destroyed) return
      await written(destination, piece)
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

import { PassThrough, Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { ZipFile } from 'yazl'
import { concat } from '../crypto/bytes.js'

export interface ZipEntry {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number
  /** Called when its turn has come. A piece is valid until the next one is asked for. */
  readonly open: () => AsyncGenerator<Uint8Array, void>
}

export interface Zip {
  /** Bytes of the whole archive. */
  readonly length: number
  /** A piece is valid until the next one is asked for. */
  readonly pieces: AsyncGenerator<Uint8Array, void>
}

/** Entries whose directory stays below 64 KiB, however long their names are. */
const FEW = 150

/** Bytes of a piece that is sent by itself; smaller ones, as around and of small files, are gathered until they are so many. */
const LARGE = 2 ** 14
/** Entries that are prepared in one turn of the event loop. */
const AT_ONCE = 1000

/** A zip of entries as they are, not compressed; zip64 where it must be. Its pieces must be read to their end, or told to return. */
export async function zip (entries: readonly ZipEntry[]): Promise<Zip> {
  const archive = new ZipFile()
  const inside = new OneInside()
  // In object mode, since other streams join what they hold to one piece: it would not be known again.
  const output = archive.outputStream.pipe(new PassThrough({ objectMode: true, highWaterMark: 1 }))
  const fail = (error: Error): void => { output.destroy(error) }
  archive.on('error', fail)
  for (const [i, { name, size, modifiedAt, open }] of entries.entries()) {
    if (i % AT_ONCE === AT_ONCE - 1) await nextTurn()
    archive.addReadStreamLazy(name, { size, mtime: new Date(modifiedAt), compress: false }, (callback) => {
      callback(null, Readable.from(inside.enter(open), { objectMode: false }).once('error', fail))
    })
  }
  let length = 0
  // yazl 3.3 counts zip64's end of the archive in as soon as the directory has 64 KiB, and writes it later: told to write it, it keeps its word.
  archive.end({ forceZip64Format: entries.length > FEW }, (known) => { length = known })
  return { length, pieces: inside.leave(output) }
}

/**
 * Lets one piece at a time into a row of streams, and the next one only when whoever reads their end is done with it. The streams hand
 * pieces on without copying, but each would hold some back: memory that nobody counts, and that is given back under their hands.
 */
class OneInside {
  #source: AsyncGenerator<Uint8Array, void> | undefined
  #memory: ArrayBufferLike | undefined
  #goOn: (more: boolean) => void = () => {}
  #over = false

  async * enter (open: () => AsyncGenerator<Uint8Array, void>): AsyncGenerator<Uint8Array, void> {
    if (this.#over) return
    this.#source = open()
    for await (const piece of this.#source) {
      // Nothing would come out for it.
      if (piece.length === 0) continue
      const left = new Promise<boolean>((resolve) => { this.#goOn = resolve })
      this.#memory = piece.buffer
      yield piece
      if (!await left) return
    }
  }

  async * leave (output: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
    const small = new Gathered()
    // At once, whatever its size: what waits for the beginning of the archive need not wait for its files.
    let enough = 1
    try {
      for await (const piece of output) {
        const isLarge = piece.length >= LARGE
        if (!isLarge) small.add(piece)
        if (isLarge || small.size >= enough) yield * small.take()
        enough = LARGE
        if (isLarge) yield piece
        if (piece.buffer === this.#memory) this.#goOn(true)
      }
      yield * small.take()
    } finally {
      this.#over = true
      this.#goOn(false)
      await this.#source?.return()
    }
  }
}

/** Copies of small pieces, to be handed on as one. */
class Gathered {
  #pieces: Uint8Array[] = []
  size = 0

  add (piece: Uint8Array): void {
    this.#pieces.push(Uint8Array.from(piece))
    this.size += piece.length
  }

  * take (): Generator<Uint8Array, void> {
    if (this.size === 0) return
    const all = concat(...this.#pieces)
    this.#pieces = []
    this.size = 0
    yield all
  }
}

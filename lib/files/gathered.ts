import { finished, type Readable } from 'node:stream'
import type { Bytes } from '../crypto/bytes.js'
import { discardOwn } from './discard.js'
import { SLOT_SIZE } from './memory-budget.js'

/** Bytes of the largest piece that a socket brings. */
const LARGEST_READ = 2 ** 16
/** Bytes from which on a piece is handed out, though more may have come: with one more it may not have room in a slot. */
const ENOUGH = SLOT_SIZE - LARGEST_READ

/**
 * What a socket brings, in fewer pieces: those of a fast one are of 64 KiB, and each has a long way to go. Put together is what comes
 * in one turn of the event loop; nothing is waited for. The stream flows while its reader waits, and is left alone when he stops.
 *
 * @returns pieces that are the reader's own
 * @throws what broke the stream, behind all that has come of it
 */
export async function * gathered (stream: Readable): AsyncGenerator<Bytes, void, undefined> {
  let pieces: Bytes[] = []
  let length = 0
  let ended: { readonly error: Error | null | undefined } | undefined
  let wake = (): void => {}
  const wakeLater = (): void => { wake() }
  const take = (piece: Bytes): void => {
    pieces.push(piece)
    length += piece.length
    if (length >= ENOUGH) wake()
    else if (pieces.length === 1) setImmediate(wakeLater)
  }
  const stopListening = finished(stream, { writable: false }, (error) => {
    ended = { error }
    wake()
  })
  stream.on('data', take)
  try {
    for (;;) {
      stream.resume()
      await new Promise<void>((resolve) => {
        wake = () => {
          stream.pause()
          resolve()
        }
      })
      const come = pieces
      pieces = []
      length = 0
      if (come.length > 0) yield joined(come)
      if (ended === undefined) continue
      if (ended.error != null) throw ended.error
      return
    }
  } finally {
    // What was put off must not stop a stream that others read by now.
    wake = () => {}
    stream.off('data', take)
    stopListening()
  }
}

/** One piece as it is, or what several hold: then their memory is wanted for the next ones. */
function joined (pieces: readonly Bytes[]): Bytes {
  const [first, ...more] = pieces
  if (first !== undefined && more.length === 0) return new Uint8Array(first.buffer, first.byteOffset, first.length)
  const whole = Buffer.concat(pieces)
  for (const piece of pieces) discardOwn(piece)
  return new Uint8Array(whole.buffer, whole.byteOffset, whole.length)
}

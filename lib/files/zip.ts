import { setImmediate as nextTurn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { descriptor, descriptorSize, directoryHeader, directoryHeaderSize, endOfArchive, endOfArchiveSize, localHeader, localHeaderSize, type ZipDirectory, type ZipPlace } from './zip-records.js'

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

/** Bytes of a piece that is sent by itself; smaller ones, as around and of small files, are gathered until they are so many. */
const LARGE = 2 ** 14
/** Entries of the directory that are written in one turn of the event loop. */
const AT_ONCE = 500

/** A zip of entries as they are, not compressed; zip64 where it must be. Its pieces must be read to their end, or told to return. */
export function zip (entries: readonly ZipEntry[]): Zip {
  const { files, directory } = layOut(entries)
  return { length: directory.offset + directory.size + endOfArchiveSize(directory), pieces: gathered(records(files, directory)) }
}

type Place = ZipPlace & Pick<ZipEntry, 'open'>

function layOut (entries: readonly ZipEntry[]): { readonly files: readonly Place[], readonly directory: ZipDirectory } {
  const encoder = new TextEncoder()
  let offset = 0
  let size = 0
  const files = entries.map((entry) => {
    const place = { name: encoder.encode(entry.name), size: entry.size, modifiedAt: entry.modifiedAt, offset, open: entry.open }
    offset += localHeaderSize(place) + entry.size + descriptorSize(place)
    size += directoryHeaderSize(place)
    return place
  })
  return { files, directory: { entries: entries.length, size, offset } }
}

async function * records (files: readonly Place[], directory: ZipDirectory): AsyncGenerator<Uint8Array, void> {
  const checksums: number[] = []
  for (const file of files) {
    yield localHeader(file)
    let crc = 0
    let rest = file.size
    for await (const piece of file.open()) {
      crc = crc32(piece, crc)
      rest -= piece.length
      yield piece
    }
    if (rest !== 0) throw new Error(`a file has ${file.size - rest} bytes instead of ${file.size}`)
    yield descriptor(file, crc)
    checksums.push(crc)
  }
  for (const [i, file] of files.entries()) {
    // A connection that takes all at once would not let others in between.
    if (i % AT_ONCE === 0) await nextTurn()
    yield directoryHeader(file, checksums[i] ?? 0)
  }
  yield endOfArchive(directory)
}

/** The same bytes, those of small pieces together; the first piece at once, since who waits for the beginning need not wait for more. */
async function * gathered (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  const small = new Uint8Array(2 * LARGE)
  let size = 0
  let enough = 1
  for await (const piece of pieces) {
    const isLarge = piece.length >= LARGE
    if (!isLarge) {
      small.set(piece, size)
      size += piece.length
    }
    if (size >= enough || (isLarge && size > 0)) {
      yield small.subarray(0, size)
      size = 0
    }
    if (isLarge) yield piece
    enough = LARGE
  }
  if (size > 0) yield small.subarray(0, size)
}

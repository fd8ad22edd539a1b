import { readFileSync } from 'node:fs'
import { open, rm, type FileHandle } from 'node:fs/promises'
import { totalmem } from 'node:os'
import { join } from 'node:path'

/** Bytes that are read at once. */
const PIECE = Buffer.allocUnsafe(2 ** 22)
/** Bytes of memory that may stay free. */
const LEFT_FREE = 2 ** 29
/** Bytes of the file: a hole, which takes no room on the disk, and memory like any other file when it is read. */
const HOLE = 2 ** 42

/**
 * Fills the memory that nobody uses with what the system may forget at any time, so that it is as after some days of use. A virtual
 * machine gives back what is free, and gets it again page by page: to write a gigabyte of a file into memory that it has not had
 * lately takes 2.3 s here, and 0.2 s otherwise. Whoever writes the file twice would pay that twice, and whoever comes second would
 * find what the first one has left.
 */
export class FreeMemory {
  readonly #path: string
  readonly #file: FileHandle

  private constructor (path: string, file: FileHandle) {
    this.#path = path
    this.#file = file
  }

  static async open (folder: string): Promise<FreeMemory> {
    const path = join(folder, 'memory.bin')
    const file = await open(path, 'wx+')
    await file.truncate(HOLE)
    return new FreeMemory(path, file)
  }

  async fill (): Promise<void> {
    // Where the file lies in memory anyway, a hole takes none.
    for (let read = 0; freeMemory() > LEFT_FREE && read < totalmem(); read += PIECE.length) await this.#file.read(PIECE)
  }

  async close (): Promise<void> {
    await this.#file.close()
    await rm(this.#path)
  }
}

/** Bytes that the system uses for nothing, not even to remember files. */
function freeMemory (): number {
  const kib = /^MemFree:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1]
  return kib === undefined ? 0 : Number(kib) * 1024
}

/** Looks for secrets wherever a process may have left them. */

import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes that are to be nowhere, by a name for messages. */
export type Canaries = Readonly<Record<string, Uint8Array>>

/** The spellings in which bytes may stand somewhere. Of base64, all three ways to fall on its groups, without what depends on neighbours. */
export function spellings (bytes: Uint8Array): readonly Buffer[] {
  const plain = Buffer.from(bytes)
  const hex = plain.toString('hex')
  const base64 = [0, 1, 2].flatMap((before) => {
    const whole = plain.subarray((3 - before) % 3)
    const text = whole.subarray(0, whole.length - whole.length % 3).toString('base64')
    return [text, text.replaceAll('+', '-').replaceAll('/', '_')]
  })
  const wide = Buffer.from(plain.toString('latin1'), 'utf16le')
  return [plain, wide, ...[hex, hex.toUpperCase(), ...new Set(base64)].map((text) => Buffer.from(text))]
}

/** As they are, and as V8 keeps strings that are not Latin: the memory of a process is too large for more. */
const plain = (bytes: Uint8Array): readonly Buffer[] => spellings(bytes).slice(0, 2)

/** @returns the names of the canaries that stand there, in any spelling */
export const found = (canaries: Canaries, ...places: readonly Uint8Array[]): string[] => search(canaries, places, spellings)

function search (canaries: Canaries, places: readonly Uint8Array[], forms: (bytes: Uint8Array) => readonly Buffer[]): string[] {
  const buffers = places.map((place) => Buffer.from(place.buffer, place.byteOffset, place.length))
  return Object.keys(canaries).filter((name) => forms(canaries[name] ?? new Uint8Array()).some((form) => buffers.some((buffer) => buffer.includes(form))))
}

/** All files below a folder, and their names. */
export async function contentOf (folder: string): Promise<Buffer> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Buffer.concat([...await Promise.all(paths.map((path) => readFile(path))), ...paths.map((path) => Buffer.from(`\n${path}`))])
}

/** Bytes that are read of a memory at once, and of the piece before it, so that nothing is missed between two. */
const PIECE = 2 ** 24
const OVERLAP = 2 ** 12

/** Looks through all memory of a process that can be written to (Linux; a process of the same user, or a child). @returns as {@link found}, of the plain spellings */
export async function foundInMemory (pid: number, canaries: Canaries): Promise<string[]> {
  const maps = await readFile(`/proc/${pid}/maps`, 'latin1')
  const names = new Set<string>()
  const memory = await open(`/proc/${pid}/mem`, 'r')
  try {
    for (const [, from = '', to = ''] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)) {
      const end = Number.parseInt(to, 16)
      for (let start = Number.parseInt(from, 16); start < end; start += PIECE - OVERLAP) {
        // A region may have gone since, or be of a device.
        const { buffer, bytesRead } = await memory.read({ buffer: Buffer.alloc(Math.min(PIECE, end - start)), position: start }).catch(() => ({ buffer: Buffer.alloc(0), bytesRead: 0 }))
        for (const name of search(canaries, [buffer.subarray(0, bytesRead)], plain)) names.add(name)
      }
    }
  } finally {
    await memory.close()
  }
  return [...names]
}

import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'

const PIECE = Buffer.alloc(2 ** 20)

/**
 * Has the system hold so much free memory. A virtual machine gives back what nobody uses, and gets it again page by page: to write a
 * gigabyte of a file into memory that it has not had lately takes 2.3 s here, and 0.2 s otherwise. Without this, whoever comes
 * second finds what the first one has left.
 */
export async function holdFreeMemory (folder: string, bytes: number): Promise<void> {
  const path = join(folder, 'memory.bin')
  const file = await open(path, 'wx')
  try {
    for (let left = bytes; left > 0; left -= PIECE.length) await file.write(PIECE)
  } finally {
    await file.close()
    await rm(path)
  }
}

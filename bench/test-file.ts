import { createCipheriv, createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

/** Bytes that are made at a time. */
const PIECE = 2 ** 20

/** What is transferred. */
export interface TestFile {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Lowercase hex. */
  readonly sha256: string
}

/** Writes a file of pseudo-random bytes, the same ones each time: AES-256-CTR under a key of zeros. It is on the disk afterwards. */
export async function createTestFile (path: string, size: number): Promise<TestFile> {
  const cipher = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16))
  const hash = createHash('sha256')
  const zeros = Buffer.alloc(PIECE)
  const handle = await open(path, 'wx')
  try {
    for (let written = 0; written < size;) {
      const piece = cipher.update(zeros.subarray(0, size - written))
      hash.update(piece)
      await handle.writeFile(piece)
      written += piece.length
    }
    // What the kernel has yet to write would compete with the transfers.
    await handle.sync()
  } finally {
    await handle.close()
  }
  return { path, size, sha256: hash.digest('hex') }
}

/** SHA-256 of a file, lowercase hex. */
export async function sha256Of (path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: PIECE }), hash)
  return hash.digest('hex')
}

import { open, readdir, rm, stat, statfs, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bytes } from '../crypto/bytes.js'
import { LocalSendError } from '../errors.js'
import { isFileId, isSessionId, type SessionId } from '../ids.js'
import { fencedKey, type BlobKey, type BlobReader, type BlobStore, type BlobWriter } from './blob-store.js'

const BLOB_NAME = /^([0-9a-f]{8})-([0-9a-f]{32})-(0|[1-9]\d{0,9})(?:-([0-9a-f]{16}))?\.lsf$/

/** The one function that names files on disk: ids that passed their pattern, and a number. */
const blobName = ({ sessionId, fileId, part, fence }: BlobKey): string => `${sessionId}-${fileId}-${part}${fence === undefined ? '' : `-${fence}`}.lsf`

/** Containers as files in one folder, beside what else lies there. */
export class DiskStore implements BlobStore {
  readonly maxOpenBytes = Number.POSITIVE_INFINITY
  readonly #folder: string
  readonly #failure: Failure

  /**
   * @param folder - exists, and is used by this process alone
   * @param onFailure - is told of every failure of the disk, a full one and a blob that is missing or cut short included
   */
  constructor (folder: string, onFailure = (): void => {}) {
    this.#folder = folder
    this.#failure = (error) => {
      onFailure()
      return storageError(error)
    }
  }

  async create (key: BlobKey): Promise<BlobWriter> {
    const path = this.#path(key)
    try {
      return new DiskWriter(path, await open(path, 'wx', 0o600), this.#failure)
    } catch (error) {
      throw isErrno(error, 'EEXIST') ? new LocalSendError('FILE_EXISTS', { cause: error }) : this.#failure(error)
    }
  }

  async has (key: BlobKey): Promise<boolean> {
    try {
      await stat(this.#path(key))
      return true
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw this.#failure(error)
      await this.check()
      return false
    }
  }

  async open (key: BlobKey): Promise<BlobReader> {
    try {
      const handle = await open(this.#path(key), 'r')
      try {
        return new DiskReader(handle, (await handle.stat()).size, this.#failure)
      } catch (error) {
        await handle.close()
        throw error
      }
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw this.#failure(error)
      await this.check()
      throw this.#failure(new LocalSendError('CONTAINER_DAMAGED', { cause: error }))
    }
  }

  async replaceEnd (key: BlobKey, position: number, end: Bytes): Promise<void> {
    try {
      const handle = await open(this.#path(key), 'r+')
      try {
        await handle.truncate(position)
        await handle.write(end, 0, end.length, position)
      } finally {
        await handle.close()
      }
    } catch (error) {
      throw this.#failure(error)
    }
  }

  async remove (key: BlobKey): Promise<void> {
    try {
      await rm(this.#path(key))
    } catch (error) {
      if (!isErrno(error, 'ENOENT')) throw this.#failure(error)
      await this.check()
    }
  }

  async freeSpace (): Promise<number> {
    try {
      const { bavail, bsize } = await statfs(this.#folder)
      return bavail * bsize
    } catch (error) {
      throw this.#failure(error)
    }
  }

  /** Also where a file is missing: with its folder gone, nothing is known of it. */
  async check (): Promise<void> {
    await this.freeSpace()
  }

  /** Everything, of whatever age: where others write, only what belongs to sessions that have ended is removed. */
  async inventory (): Promise<ReadonlyMap<SessionId, readonly BlobKey[]>> {
    const blobs = new Map<SessionId, BlobKey[]>()
    for (const name of await readdir(this.#folder)) {
      const [, sessionId, fileId, part, fence] = BLOB_NAME.exec(name) ?? []
      if (!isSessionId(sessionId) || !isFileId(fileId)) continue
      const keys = blobs.get(sessionId) ?? []
      keys.push(fencedKey({ sessionId, fileId, part: Number(part) }, fence))
      blobs.set(sessionId, keys)
    }
    return blobs
  }

  close (): Promise<void> {
    return Promise.resolve()
  }

  #path (key: BlobKey): string {
    return join(this.#folder, blobName(key))
  }
}

/** Tells of a failure. @returns what is to be thrown */
type Failure = (error: unknown) => unknown

interface Pending {
  readonly bytes: Uint8Array
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** While one write is under way, what arrives meanwhile is gathered and written in one call. */
class DiskWriter implements BlobWriter {
  readonly #path: string
  readonly #handle: FileHandle
  readonly #failure: Failure
  #pending: Pending[] = []
  #writing: Promise<void> | undefined
  #closed = false

  constructor (path: string, handle: FileHandle, failure: Failure) {
    this.#path = path
    this.#handle = handle
    this.#failure = failure
  }

  async write (bytes: Uint8Array): Promise<void> {
    const written = new Promise<void>((resolve, reject) => { this.#pending.push({ bytes, resolve, reject }) })
    this.#writing ??= this.#writePending()
    await written
  }

  async #writePending (): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending
      this.#pending = []
      try {
        await writeFully(this.#handle, batch.map(({ bytes }) => bytes))
        for (const { resolve } of batch) resolve()
      } catch (error) {
        const failure = this.#failure(error)
        for (const { reject } of batch) reject(failure)
      }
    }
    this.#writing = undefined
  }

  async commit (): Promise<void> {
    await this.#writing
    await this.#close()
  }

  async abort (): Promise<void> {
    await this.#writing
    await this.#close()
    await rm(this.#path, { force: true })
  }

  async #close (): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#handle.close()
  }
}

/** Appends all pieces; a write that took only some of the bytes (a nearly full disk, 2 GiB in one call) goes on behind them. */
async function writeFully (handle: FileHandle, pieces: Uint8Array[]): Promise<void> {
  let rest = pieces
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest)
    let skip = bytesWritten
    rest = rest.flatMap((piece) => {
      const taken = Math.min(skip, piece.length)
      skip -= taken
      return taken === piece.length ? [] : [piece.subarray(taken)]
    })
  }
}

class DiskReader implements BlobReader {
  readonly #handle: FileHandle
  readonly size: number
  readonly #failure: Failure

  constructor (handle: FileHandle, size: number, failure: Failure) {
    this.#handle = handle
    this.size = size
    this.#failure = failure
  }

  async read (target: Bytes, position: number): Promise<void> {
    try {
      await this.#fill(target, position)
    } catch (error) {
      throw this.#failure(error)
    }
  }

  async #fill (target: Bytes, position: number): Promise<void> {
    for (let filled = 0; filled < target.length;) {
      const { bytesRead } = await this.#handle.read(target, filled, target.length - filled, position + filled)
      if (bytesRead === 0) throw new LocalSendError('CONTAINER_DAMAGED', { cause: new Error('the blob is shorter than its record says') })
      filled += bytesRead
    }
  }

  async close (): Promise<void> {
    await this.#handle.close()
  }
}

const isErrno = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code)

/** What a disk says while it is broken, read-only, taken away or out of reach: it may pass, and what is there is not lost. */
const OUT_OF_ORDER = ['EACCES', 'EIO', 'EMFILE', 'ENFILE', 'ENODEV', 'ENOENT', 'ENOTDIR', 'ENXIO', 'EPERM', 'EROFS', 'ESTALE', 'ETIMEDOUT']

function storageError (error: unknown): unknown {
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) return new LocalSendError('STORAGE_FULL', { retryAfter: 60, cause: error })
  return isErrno(error, ...OUT_OF_ORDER) ? new LocalSendError('STORAGE_UNAVAILABLE', { retryAfter: 5, cause: error }) : error
}

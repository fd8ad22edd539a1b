import { link, lstat, open, rename, unlink, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CliError } from '../cli-error.js'
import { EXIT } from '../exit-codes.js'
import { hasCode, sentenceFor } from './system-error.js'

// Read once, at the start, and given back as it was: what is deprecated about it is that threads may do so at one time.
// eslint-disable-next-line @typescript-eslint/no-deprecated -- there is no other way to learn it
const UMASK = process.umask()

/** Where a partial file may end up. */
export interface Placement {
  /** Paths in the order in which they are tried. */
  readonly candidates: () => Iterable<string>
  /** Whether what is there may be replaced, if that was asked for. */
  readonly mayReplace: (path: string) => boolean
  readonly finished: (path: string) => void
}

/** What a whole file is given. */
export interface Finish {
  readonly modified: Date
  /** Whether its owner may execute it. */
  readonly executable: boolean
  /** Whether a file that has its name is replaced; otherwise this one gets a number. */
  readonly replace: boolean
}

/** A file on its way: only its owner can read it, and it has a name of its own until it is whole. */
export class PartialFile {
  readonly path: string
  readonly #file: FileHandle
  readonly #placement: Placement
  #at = 0

  constructor (file: FileHandle, path: string, placement: Placement) {
    this.#file = file
    this.path = path
    this.#placement = placement
  }

  /** Bytes that lie in it. */
  async size (): Promise<number> {
    return (await this.#file.stat()).size
  }

  /** Goes on from here: what lies behind is dropped. */
  async continueAt (position: number): Promise<void> {
    await this.#written(this.#file.truncate(position))
    this.#at = position
  }

  async write (bytes: Uint8Array): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const { bytesWritten } = await this.#written(this.#file.write(bytes, from, bytes.length - from, this.#at))
      from += bytesWritten
      this.#at += bytesWritten
    }
  }

  /** Brings what was written to the disk itself. */
  async sync (): Promise<void> {
    await this.#written(this.#file.datasync())
  }

  /** Gives the whole file what belongs to it, and brings it to the disk: only its name is missing then. */
  async seal ({ modified, executable }: Pick<Finish, 'modified' | 'executable'>): Promise<void> {
    await this.#written(this.#file.chmod((executable ? 0o777 : 0o666) & ~UMASK))
    await this.#written(this.#file.utimes(new Date(), modified))
    await this.#written(this.#file.sync())
  }

  /**
   * Puts it under its name, without a moment in which something else is lost.
   * @param replace - whether a file that has its name is replaced; otherwise this one gets a number
   * @returns the path that it has got
   */
  async place (replace: boolean): Promise<string> {
    await this.#file.close()
    for (const path of this.#placement.candidates()) {
      if (!await moveTo(this.path, path, replace && this.#placement.mayReplace(path))) continue
      this.#placement.finished(path)
      return path
    }
    throw new CliError(`There are too many files of the same name in ${dirname(this.path)}.`, EXIT.failure)
  }

  /** Both. */
  async finish (finish: Finish): Promise<string> {
    await this.seal(finish)
    return await this.place(finish.replace)
  }

  /** Closes it and leaves it for a later run. */
  async keep (): Promise<void> {
    await this.#file.close()
  }

  /** Removes it. */
  async discard (): Promise<void> {
    await this.#file.close()
    await unlink(this.path).catch(() => {})
  }

  async #written<T> (result: Promise<T>): Promise<T> {
    try {
      return await result
    } catch (cause) {
      throw new CliError(`${this.path} cannot be written: ${sentenceFor(cause)}.`, EXIT.failure, { cause })
    }
  }
}

/** Removes a partial file that an earlier run had made, if it is still one. */
export async function removePartial (path: string): Promise<void> {
  const isFile = await lstat(path).then((stats) => stats.isFile(), () => false)
  if (isFile && path.endsWith('.part')) await unlink(path).catch(() => {})
}

/** @returns whether the file has the new name now; not if something else has it */
async function moveTo (from: string, to: string, replace: boolean): Promise<boolean> {
  try {
    return replace ? await moveOver(from, to) : await moveBeside(from, to)
  } catch (cause) {
    throw new CliError(`${to} cannot be written: ${sentenceFor(cause)}.`, EXIT.failure, { cause })
  }
}

/** Replaces a file or a link (not what it points to), never a folder. */
async function moveOver (from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (hasCode(error, 'EISDIR', 'ENOTEMPTY', 'EEXIST')) return false
    throw error
  }
}

/** rename(2) replaces, link(2) refuses: a second name, then the first one goes. */
async function moveBeside (from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    if (hasCode(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES')) return await moveByReservation(from, to)
    throw error
  }
  await unlink(from)
  return true
}

/** Where the file system knows no links: an empty file takes the name, and only that one is replaced. */
async function moveByReservation (from: string, to: string): Promise<boolean> {
  try {
    await (await open(to, 'wx', 0o600)).close()
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
  await rename(from, to)
  return true
}

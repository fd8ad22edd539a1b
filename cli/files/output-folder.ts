/**
 * Where received files are written. Invariants: nothing outside of the folder is touched, no symbolic link is followed or made,
 * a file stands under its final name only when it is whole, and what was there before is replaced only when that was asked for.
 */

import { constants } from 'node:fs'
import { lstat, mkdir, mkdtemp, open, realpath, rmdir, stat, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { safePath } from '../../client/safe-path.js'
import { CliError } from '../cli-error.js'
import { EXIT } from '../exit-codes.js'
import { isThere } from './is-there.js'
import { PartialFile, type Placement } from './partial-file.js'
import { hasCode, sentenceFor } from './system-error.js'
import { numberedName, partialName } from './partial-name.js'

/** How many numbers are tried behind a name that is taken. */
const MAX_NUMBER = 10_000

/** A partial file that is not there yet. */
export interface PlannedFile {
  readonly path: string
  readonly placement: Placement
}

/** A folder that received files go into. */
export class OutputFolder {
  /** Without symbolic links in it. */
  readonly path: string
  /** Folders that exist by now, by the names that the sender gave them. */
  readonly #folders = new Map<string, Promise<string>>()
  /** What this process has put in place, without regard to case: it is never replaced, whatever was asked for. */
  readonly #finished = new Set<string>()
  /** The numbers to try next behind names that are taken: a sender may give ten thousand files one name. */
  readonly #numbers = new Map<string, number>()

  private constructor (path: string) {
    this.path = path
  }

  /**
   * Looks whether there could be a folder at this path that can be written to, and leaves none.
   * @throws {@link CliError} if something else is there, or nothing can be made
   */
  static async check (path: string): Promise<void> {
    try {
      // Rights, and lists of them, and file systems that can only be read: none but the system knows all of it.
      await rmdir(await mkdtemp(join(await nearest(path), '.local-send-')))
    } catch (cause) {
      if (cause instanceof CliError) throw cause
      throw new CliError(`The folder ${path} cannot be used: ${sentenceFor(cause)}.`, EXIT.usage, { cause })
    }
  }

  /** The folder at this path; it is made if it is not there. A path that someone named himself may lead over symbolic links. */
  static async open (path: string): Promise<OutputFolder> {
    try {
      await mkdir(path, { recursive: true })
      return new OutputFolder(await realpath(path))
    } catch (cause) {
      throw new CliError(`The folder ${path} cannot be used: ${sentenceFor(cause)}.`, EXIT.failure, { cause })
    }
  }

  /** Whether a file of this name would find something in its place. Nothing is made for that. */
  async isTaken (name: string): Promise<boolean> {
    return await isThere(join(this.path, ...safePath(name))).catch(() => false)
  }

  /** Makes a folder, and those that it lies in. @returns its path */
  async makeFolder (name: string): Promise<string> {
    return await this.#folder(safePath(name))
  }

  /** Where a partial file is to be, beside the place that the whole one is to have, so that it can be noted before it is made. */
  async plan (name: string): Promise<PlannedFile> {
    const { folder, base } = await this.#place(name)
    return { path: join(folder, partialName(base)), placement: this.#placement(folder, base) }
  }

  /** Makes it. */
  async create ({ path, placement }: PlannedFile): Promise<PartialFile> {
    const file = await openOnly(path, constants.O_CREAT | constants.O_EXCL)
    if (file === undefined) throw new CliError(`${path} was made by somebody else.`, EXIT.failure)
    return new PartialFile(file, path, placement)
  }

  /**
   * Opens a partial file of an earlier run again.
   * @param path - as {@link PartialFile.path} had it
   * @returns `undefined` if it is gone, or not an ordinary file in its place any more
   */
  async reopenPartial (name: string, path: string): Promise<PartialFile | undefined> {
    const { folder, base } = await this.#place(name)
    if (dirname(path) !== folder) return undefined
    const file = await openOnly(path, 0)
    if (file === undefined) return undefined
    const { nlink } = await file.stat()
    if (nlink === 1) return new PartialFile(file, path, this.#placement(folder, base))
    await file.close()
    return undefined
  }

  /** Whether this is the path of a partial file beside the place that a file of this name is to have. */
  async isBeside (name: string, path: string): Promise<boolean> {
    return dirname(path) === (await this.#place(name)).folder
  }

  async #place (name: string): Promise<{ readonly folder: string, readonly base: string }> {
    const components = safePath(name)
    const base = components.at(-1) ?? components[0]
    const folder = await this.#folder(components.slice(0, -1))
    if (await realpath(folder).catch(() => '') !== folder) throw new CliError(`The folder ${folder} was moved, or replaced by a symbolic link.`, EXIT.failure)
    return { folder, base }
  }

  #placement (folder: string, base: string): Placement {
    return {
      candidates: () => this.#candidates(folder, base),
      mayReplace: (path) => path === join(folder, base) && !this.#finished.has(caseless(path)),
      finished: (path) => { this.#finished.add(caseless(path)) }
    }
  }

  * #candidates (folder: string, base: string): Generator<string> {
    const first = join(folder, base)
    yield first
    for (let number = this.#numbers.get(first) ?? 2; number <= MAX_NUMBER; number++) {
      this.#numbers.set(first, number)
      yield join(folder, numberedName(base, number))
    }
  }

  /** The folder for these components, each of which is looked at: a link or a file in its place makes it a numbered one. */
  async #folder (components: readonly string[]): Promise<string> {
    let path = this.path
    for (const [i, component] of components.entries()) {
      const key = components.slice(0, i + 1).join('/')
      const parent = path
      const made = this.#folders.get(key) ?? makeFolderIn(parent, component)
      this.#folders.set(key, made)
      path = await made
    }
    return path
  }
}

/** The first that is there of a folder, the one it is to lie in, and so on. */
async function nearest (path: string): Promise<string> {
  const found = await stat(path).catch((error: unknown) => {
    if (!hasCode(error, 'ENOENT')) throw error
  })
  if (found === undefined) return await nearest(dirname(path))
  if (!found.isDirectory()) throw new CliError(`The folder ${path} cannot be used: something else is there.`, EXIT.usage)
  return path
}

async function makeFolderIn (parent: string, component: string): Promise<string> {
  for (let number = 1; number <= MAX_NUMBER; number++) {
    const path = join(parent, number === 1 ? component : numberedName(component, number))
    try {
      await mkdir(path)
      return path
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw new CliError(`The folder ${path} cannot be made: ${sentenceFor(error)}.`, EXIT.failure, { cause: error })
      if ((await lstat(path)).isDirectory()) return path
    }
  }
  throw new CliError(`There are too many files called ${component} in ${parent}.`, EXIT.failure)
}

/** Opens an ordinary file of ours for writing, never over a link. @returns `undefined` if there is none, or with O_EXCL if there is one */
async function openOnly (path: string, flags: number): Promise<FileHandle | undefined> {
  try {
    const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK | flags, 0o600)
    if ((await file.stat()).isFile()) return file
    await file.close()
    return undefined
  } catch (error) {
    if (hasCode(error, 'EEXIST', 'ENOENT', 'ELOOP', 'ENXIO')) return undefined
    throw new CliError(`${path} cannot be written: ${sentenceFor(error)}.`, EXIT.failure, { cause: error })
  }
}

// As lib/files/names.ts compares them.
const caseless = (path: string): string => path.toUpperCase().toLowerCase()

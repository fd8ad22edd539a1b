/** What the arguments of `send` name: files, and folders with all that is in them. Symbolic links in folders are not followed. */

import type { Stats } from 'node:fs'
import { lstat, readdir, stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { distinctNames } from '../../lib/files/names.js'
import { CliError } from '../cli-error.js'
import { EXIT } from '../exit-codes.js'

/** A file or an empty folder that is to be sent. */
export interface TreeEntry {
  readonly path: string
  /** What it is offered as: a relative path with `/`. */
  readonly name: string
  readonly kind: 'file' | 'directory'
  readonly size: number
  readonly modified: Date
  readonly mode: number
  /** Whether its path was named, and may therefore be a symbolic link. */
  readonly named: boolean
  /** What it is in every run, as long as it is the same file. */
  readonly key: string
}

/** All that is to be sent, and what was left out. */
export interface Tree {
  readonly entries: readonly TreeEntry[]
  /** Symbolic links, pipes, sockets and devices in the folders: their names. */
  readonly leftOut: readonly string[]
}

/**
 * Walks what the paths name, in order of names, and reads no file's content. A path that is itself a symbolic link is followed,
 * since it was named; those found in folders are left out.
 *
 * @throws {@link CliError} if something cannot be read, or a path is neither a file nor a folder
 */
export async function walk (paths: readonly string[], signal: AbortSignal): Promise<Tree> {
  const entries: TreeEntry[] = []
  const leftOut: string[] = []
  const names = distinctNames(paths.map(nameOf))
  for (const [i, path] of paths.entries()) await visit({ path, name: names[i] ?? path, stats: await readable(path, stat(path)) })
  return { entries, leftOut }

  async function visit ({ path, name, stats }: { readonly path: string, readonly name: string, readonly stats: Stats }, depth = 0): Promise<void> {
    signal.throwIfAborted()
    if (stats.isFile()) entries.push(entryOf(path, name, stats, depth))
    else if (stats.isDirectory()) await visitFolder(path, name, stats, depth)
    else if (depth === 0) throw new CliError(`${path} is neither a file nor a folder.`, EXIT.usage)
    else leftOut.push(name)
  }

  async function visitFolder (path: string, name: string, stats: Stats, depth: number): Promise<void> {
    const children = (await readable(path, readdir(path))).sort()
    if (children.length === 0) entries.push(entryOf(path, name, stats, depth))
    for (const child of children) {
      const childPath = join(path, child)
      await visit({ path: childPath, name: `${name}/${child.normalize('NFC')}`, stats: await readable(childPath, lstat(childPath)) }, depth + 1)
    }
  }
}

/** The last component, also of `.` and of a path that ends in a slash. */
const nameOf = (path: string): string => basename(resolve(path)).normalize('NFC') || 'files'

function entryOf (path: string, name: string, stats: Stats, depth: number): TreeEntry {
  const kind = stats.isFile() ? 'file' : 'directory'
  return { path, name, kind, size: stats.isFile() ? stats.size : 0, modified: stats.mtime, mode: stats.mode & 0o777, named: depth === 0, key: `${kind}:${resolve(path)}\0${name}` }
}

async function readable<T> (path: string, result: Promise<T>): Promise<T> {
  try {
    return await result
  } catch (cause) {
    throw new CliError(`${path} cannot be read: ${reason(cause)}.`, EXIT.failure, { cause })
  }
}

function reason (error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ENOENT') return 'there is no such file or folder, or its name is not UTF-8'
  return code === 'EACCES' || code === 'EPERM' ? 'you may not read it' : code
}

import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { ClientError } from '../../client/errors.js'
import { directorySource, type Source } from '../../client/source.js'
import type { TreeEntry } from './source-tree.js'

/** Bytes of one read. */
const PIECE = 2 ** 20

/** A file or an empty folder of a tree, to be sent as what it was when the tree was walked. */
export function treeSource (entry: TreeEntry): Source {
  const { name, modified, key, kind, size, mode } = entry
  if (kind === 'directory') return { ...directorySource(name, modified), key }
  return {
    name,
    size,
    type: '',
    modified,
    mode,
    key,
    read: (offset, signal) => readFrom(entry, offset, signal),
    renew: () => renewed(entry)
  }
}

async function renewed (entry: TreeEntry): Promise<Source> {
  const file = await openSource(entry)
  try {
    const { size, mtime, mode } = await file.stat()
    return treeSource({ ...entry, size, modified: mtime, mode: mode & 0o777 })
  } finally {
    await file.close()
  }
}

async function * readFrom (entry: TreeEntry, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const file = await openSource(entry)
  try {
    await checkUnchanged(file, entry)
    // Whoever takes a piece has done with it when he asks for the next one: one buffer does.
    const buffer = new Uint8Array(Math.min(PIECE, Math.max(1, entry.size - offset)))
    for (let at = offset; at < entry.size;) {
      signal.throwIfAborted()
      const { bytesRead } = await readable(entry, file.read(buffer, 0, Math.min(buffer.length, entry.size - at), at))
      if (bytesRead === 0) throw changed(entry)
      yield buffer.subarray(0, bytesRead)
      at += bytesRead
    }
    await checkUnchanged(file, entry)
  } finally {
    await file.close()
  }
}

/** Without following a link that took the file's place: the tree holds none but those that were named. */
const openSource = (entry: TreeEntry): Promise<FileHandle> =>
  readable(entry, open(entry.path, constants.O_RDONLY | (entry.named ? 0 : constants.O_NOFOLLOW) | constants.O_NONBLOCK))

async function checkUnchanged (file: FileHandle, entry: TreeEntry): Promise<void> {
  const stats = await readable(entry, file.stat())
  if (!stats.isFile() || stats.size !== entry.size || stats.mtime.getTime() !== entry.modified.getTime()) throw changed(entry)
}

const changed = ({ path }: TreeEntry): ClientError => new ClientError('SOURCE_CHANGED', { detail: path })

async function readable<T> ({ path }: TreeEntry, result: Promise<T>): Promise<T> {
  try {
    return await result
  } catch (cause) {
    throw new ClientError('SOURCE_FAILED', { detail: path, cause })
  }
}

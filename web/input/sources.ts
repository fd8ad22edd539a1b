/** What people drop, choose or paste, as something that can be sent. */

import { blobSource, directorySource, type Source } from '../../client/source.js'

/** Files of a file picker; those of a folder have their paths in them. */
export const sourcesOfFiles = (files: Iterable<File>): readonly Source[] => Array.from(files, (file) => sourceOf(file, file.webkitRelativePath))

const sourceOf = (file: File, path: string): Source =>
  blobSource(file, { name: path === '' ? file.name : path, modified: new Date(file.lastModified) })

/** Files and folders out of a drop or a paste. To be called while its event is handled: afterwards there is nothing left in it. */
export function sourcesOfTransfer ({ items, files }: DataTransfer): Promise<readonly Source[]> {
  const entries = Array.from(items, (item) => item.kind === 'file' ? item.webkitGetAsEntry() : null).filter((entry) => entry !== null)
  // What is pasted has no entry.
  return entries.length === 0 ? Promise.resolve(sourcesOfFiles(files)) : gather(entries)
}

async function gather (entries: Iterable<FileSystemEntry>): Promise<readonly Source[]> {
  const sources: Source[] = []
  for (const entry of entries) {
    if (isFile(entry)) sources.push(sourceOf(await fileOf(entry), entry.fullPath.replace(/^\//, '')))
    else if (isDirectory(entry)) sources.push(...await sourcesBelow(entry))
  }
  return sources
}

async function sourcesBelow (folder: FileSystemDirectoryEntry): Promise<readonly Source[]> {
  const inside = await gather(await entriesOf(folder))
  return inside.length > 0 ? inside : [directorySource(folder.fullPath.replace(/^\//, ''), new Date())]
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile
const isDirectory = (entry: FileSystemEntry): entry is FileSystemDirectoryEntry => entry.isDirectory

const fileOf = (entry: FileSystemFileEntry): Promise<File> => new Promise((resolve, reject) => { entry.file(resolve, reject) })

/** A reader gives some at a time, and none at the end. */
async function entriesOf (folder: FileSystemDirectoryEntry): Promise<readonly FileSystemEntry[]> {
  const reader = folder.createReader()
  const entries: FileSystemEntry[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => { reader.readEntries(resolve, reject) })
    if (some.length === 0) return entries
    entries.push(...some)
  }
}

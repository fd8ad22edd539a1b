/**
 * The folder of a tab in the origin's private file system (https://fs.spec.whatwg.org/#sandboxed-filesystem). It outlives the tab: a
 * later one may go on with what is in it, and the browser may still copy from there what was downloaded, and says to nobody when it has.
 */

import { takeLock } from './tab-lock.js'

/** Files in the folder of a tab. */
export interface TabFiles {
  readonly folder: string
  readonly names: readonly string[]
}

const PREFIX = 'tab-'
/** Milliseconds for which what a tab that has gone has received stays: the browser may still copy it, or ask where to. */
const KEPT = 86_400_000

/** The folder of this tab; made once. */
let own: Promise<FileSystemDirectoryHandle> | undefined

/** The folder of this tab; `undefined` where there can be none, or none that can be written to from here. */
export async function tabFolder (): Promise<FileSystemDirectoryHandle | undefined> {
  own ??= makeFolder()
  try {
    return await own
  } catch {
    own = undefined
    return undefined
  }
}

async function makeFolder (): Promise<FileSystemDirectoryHandle> {
  if (!('createWritable' in FileSystemFileHandle.prototype)) throw new TypeError('Files here can only be written by a worker.')
  const root = await navigator.storage.getDirectory()
  const name = `${PREFIX}${crypto.randomUUID()}`
  // Held as long as the tab lives: by it, others see that the folder is in use.
  await takeLock(name)
  return await root.getDirectoryHandle(name, { create: true })
}

/** Takes the folder of a tab that has gone for this tab's, if it is still there. @returns the folder of this tab */
export async function adoptFolder (name: string): Promise<FileSystemDirectoryHandle | undefined> {
  if ((await own)?.name !== name) await adopt(name)
  return await tabFolder()
}

async function adopt (name: string): Promise<void> {
  const release = await takeLock(name)
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(name)
    if (release !== undefined) own = Promise.resolve(folder)
  } catch {
    release?.()
  }
}

/** Removes files, as far as they are there. */
export async function removeFiles ({ folder, names }: TabFiles): Promise<void> {
  try {
    const directory = await (await navigator.storage.getDirectory()).getDirectoryHandle(folder)
    for (const name of names) await directory.removeEntry(name).catch(() => undefined)
  } catch {
    // The folder has gone as a whole.
  }
}

/** Removes what tabs that have gone for good have left. */
export async function sweepTabFolders (now = Date.now()): Promise<void> {
  try {
    const root = await navigator.storage.getDirectory()
    for await (const name of root.keys()) {
      if (!name.startsWith(PREFIX)) continue
      await navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
        if (lock !== null && now - await lastChange(await root.getDirectoryHandle(name)) >= KEPT) await root.removeEntry(name, { recursive: true })
      })
    }
  } catch {
    // There is no such file system, or another tab sweeps it at this moment.
  }
}

/** When the youngest file of a folder was written, in milliseconds since the epoch; 0 for an empty folder. */
async function lastChange (folder: FileSystemDirectoryHandle): Promise<number> {
  let last = 0
  for await (const entry of folder.values()) if (entry.kind === 'file') last = Math.max(last, (await (entry as FileSystemFileHandle).getFile()).lastModified)
  return last
}

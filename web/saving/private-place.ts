/**
 * The origin's private file system. A file is written there, and downloaded from there when it is whole: the browser copies it
 * to where its user keeps downloads, and says to nobody when it has. So the folder of a tab stays when the tab has gone, for a day.
 */

import type { FileLog } from '../kept/receive-log.js'
import { takeLock } from '../kept/tab-lock.js'
import { ProblemError } from '../transfer/problem.js'
import { failing, writeTo } from './handle-file.js'
import type { Place } from './place.js'
import { SegmentedFile } from './segmented-file.js'

const PREFIX = 'tab-'
/** Milliseconds for which what a tab that has gone has received stays: the browser may still copy it, or ask where to. */
const KEPT = 86_400_000
/** Bytes of the room there is that are left alone. */
const MARGIN = 2 ** 24

/** The folder of this tab; made once. */
let own: Promise<FileSystemDirectoryHandle> | undefined

/** Files go into the private file system; `undefined` where there is none, or none that can be written to from here. */
export async function privatePlace (): Promise<Place | undefined> {
  try {
    own ??= ownFolder()
    const folder = await own
    return {
      create: (_path, size, log) => failing(async () => {
        if (log !== undefined) return await segmented(folder, size, log)
        await checkRoom(size)
        const name = crypto.randomUUID()
        const handle = await folder.getFileHandle(name, { create: true })
        return await writeTo(handle, { finish: () => handle.getFile(), discard: () => folder.removeEntry(name) })
      }),
      // What is downloaded has no folders.
      makeFolder: () => Promise.resolve()
    }
  } catch {
    own = undefined
    return undefined
  }
}

async function segmented (folder: FileSystemDirectoryHandle, size: number | null, log: FileLog): Promise<SegmentedFile> {
  const file = await SegmentedFile.open(folder, log)
  await checkRoom(size === null ? null : size - (file.start.from ?? 0))
  return file
}

async function ownFolder (): Promise<FileSystemDirectoryHandle> {
  if (!('createWritable' in FileSystemFileHandle.prototype)) throw new TypeError('Files here can only be written by a worker.')
  const root = await navigator.storage.getDirectory()
  const name = `${PREFIX}${crypto.randomUUID()}`
  // Held as long as the tab lives: by it, others see that the folder is in use.
  await takeLock(name)
  return await root.getDirectoryHandle(name, { create: true })
}

/** The name of this tab's folder; `undefined` where there can be none. */
export async function privateFolder (): Promise<string | undefined> {
  await privatePlace()
  return (await own)?.name
}

/** Takes the folder of a tab that has gone for this tab's, if it is still there. */
export async function adoptFolder (name: string): Promise<void> {
  if ((await own)?.name === name) return
  const release = await takeLock(name)
  try {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle(name)
    if (release !== undefined) own = Promise.resolve(folder)
  } catch {
    release?.()
  }
}

/** Removes files from this tab's folder. */
export async function removeFromFolder (names: readonly string[]): Promise<void> {
  const folder = await own
  for (const name of names) await folder?.removeEntry(name).catch(() => undefined)
}

async function checkRoom (size: number | null): Promise<void> {
  const { quota, usage } = await navigator.storage.estimate()
  if (size !== null && quota !== undefined && usage !== undefined && size + MARGIN > quota - usage) throw new ProblemError({ code: 'NO_ROOM' })
}

/** Removes what tabs that have gone for good have left. */
export async function sweepPrivatePlace (now = Date.now()): Promise<void> {
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

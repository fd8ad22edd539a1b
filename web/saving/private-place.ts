/**
 * The origin's private file system. A file is written there, and downloaded from there when it is whole: the browser copies it
 * to where its user keeps downloads.
 */

import { tabFolder } from '../kept/tab-folder.js'
import { ProblemError } from '../transfer/problem.js'
import { failing, writeTo } from './handle-file.js'
import type { Place, Resumption } from './place.js'
import { SegmentedFile } from './segmented-file.js'

/** Bytes of the room there is that are left alone. */
const MARGIN = 2 ** 24

/** Files go into the private file system; `undefined` where there is none, or none that can be written to from here. */
export async function privatePlace (): Promise<Place | undefined> {
  const folder = await tabFolder()
  return folder && {
    create: (_path, size, resumption) => failing(async () => {
      if (resumption !== undefined) return await segmented(folder, size, resumption)
      await checkRoom(size)
      const name = crypto.randomUUID()
      const handle = await folder.getFileHandle(name, { create: true })
      return await writeTo(handle, { finish: () => handle.getFile(), discard: () => folder.removeEntry(name) })
    }),
    // What is downloaded has no folders.
    makeFolder: () => Promise.resolve()
  }
}

async function segmented (folder: FileSystemDirectoryHandle, size: number | null, resumption: Resumption): Promise<SegmentedFile> {
  const file = await SegmentedFile.open(folder, resumption)
  await checkRoom(size === null ? null : size - (file.start.from ?? 0))
  return file
}

async function checkRoom (size: number | null): Promise<void> {
  const { quota, usage } = await navigator.storage.estimate()
  if (size !== null && quota !== undefined && usage !== undefined && size + MARGIN > quota - usage) throw new ProblemError({ code: 'NO_ROOM' })
}

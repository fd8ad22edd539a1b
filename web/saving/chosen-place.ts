/** What the user has chosen by the browser's own dialogues (https://wicg.github.io/file-system-access/): bytes go straight to the disk. */

import { numberedFileName } from '../../lib/files/names.js'
import { failing, writeTo } from './handle-file.js'
import type { Place } from './place.js'

declare global {
  interface Window {
    showDirectoryPicker?: (options: { readonly mode: 'readwrite', readonly id: string }) => Promise<FileSystemDirectoryHandle>
    showSaveFilePicker?: (options: { readonly suggestedName: string, readonly id: string }) => Promise<FileSystemFileHandle>
  }
}

/** Remembers the folder of the last time for the next dialogue. */
const ID = 'local-send'

/** Whether this browser lets a folder be chosen. */
export const canChooseFolder = (): boolean => window.showDirectoryPicker !== undefined
/** Whether this browser lets the place of one file be chosen. */
export const canChooseFile = (): boolean => window.showSaveFilePicker !== undefined

/** Asks for a folder. @returns `undefined` if none was chosen */
export async function chooseFolder (): Promise<Place | undefined> {
  const folder = await chosen(() => window.showDirectoryPicker?.({ mode: 'readwrite', id: ID }))
  return folder && folderPlace(folder)
}

/** Asks where a file is to go. @returns `undefined` if nothing was chosen */
export async function chooseFile (name: string): Promise<Place | undefined> {
  const handle = await chosen(() => window.showSaveFilePicker?.({ suggestedName: name, id: ID }))
  return handle && filePlace(handle)
}

async function chosen<Handle> (choose: () => Promise<Handle> | undefined): Promise<Handle | undefined> {
  try {
    return await choose()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined
    throw error
  }
}

/** A place for one file; what was there is replaced when the new one is whole. */
export const filePlace = (handle: FileSystemFileHandle): Place => ({
  create: () => writeTo(handle, { finish: () => Promise.resolve(undefined), discard: () => Promise.resolve() }),
  makeFolder: () => Promise.resolve()
})

/** How many numbers are tried behind a name that is taken. */
const MAX_NUMBER = 10_000

/** A folder. What is in it already stays: a file of a name that is taken gets a number. */
export function folderPlace (root: FileSystemDirectoryHandle): Place {
  const below = async (folders: readonly string[]): Promise<FileSystemDirectoryHandle> => {
    let folder = root
    for (const name of folders) folder = await folder.getDirectoryHandle(name, { create: true })
    return folder
  }
  return {
    create: (path, _size) => failing(async () => {
      const folder = await below(path.slice(0, -1))
      const name = await freeName(folder, path.at(-1) ?? '')
      const handle = await folder.getFileHandle(name, { create: true })
      return await writeTo(handle, { finish: () => Promise.resolve(undefined), discard: () => folder.removeEntry(name) })
    }),
    async makeFolder (path) {
      await failing(() => below(path))
    }
  }
}

async function freeName (folder: FileSystemDirectoryHandle, name: string): Promise<string> {
  if (!await isTaken(folder, name)) return name
  for (let number = 2; number < MAX_NUMBER; number++) {
    const numbered = numberedFileName(name, number)
    if (!await isTaken(folder, numbered)) return numbered
  }
  throw new RangeError('There are too many files of this name.')
}

async function isTaken (folder: FileSystemDirectoryHandle, name: string): Promise<boolean> {
  try {
    await folder.getFileHandle(name)
    return true
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotFoundError') return false
    if (error instanceof DOMException && error.name === 'TypeMismatchError') return true
    throw error
  }
}

import { mkdir, open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { tryLock, unlock } from 'fs-native-extensions'

/** Our own folder inside UPLOAD_FOLDER: nothing else there is ever touched. */
const SUBFOLDER = 'local-send'

/** A folder that no other server works in, unless both share it. */
export interface LockedFolder {
  readonly path: string
  release (): Promise<void>
}

/** Another process of this server works in the folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError'
}

/**
 * Takes our folder for this process, by a lock of the operating system that ends with the process however it ends. Creates it
 * where necessary.
 * @param uploadFolder - UPLOAD_FOLDER
 * @param shared - whether others may work in it that share it, too
 * @throws FolderInUseError if another process has it
 */
export async function lockFolder (uploadFolder: string, shared = false): Promise<LockedFolder> {
  const path = join(uploadFolder, SUBFOLDER)
  await mkdir(path, { recursive: true, mode: 0o700 })
  const handle = await open(join(path, 'lock'), 'a+', 0o600)
  if (!tryLock(handle.fd, 0, 0, { shared })) {
    await handle.close()
    throw new FolderInUseError(`UPLOAD_FOLDER: another server is using ${path}. Stop it, or give this one a folder of its own.`)
  }
  return { path, release: () => releaseLock(handle) }
}

async function releaseLock (handle: FileHandle): Promise<void> {
  unlock(handle.fd)
  await handle.close()
}

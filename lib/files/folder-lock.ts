import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { tryLock, unlock } from 'fs-native-extensions'

export interface FolderLock {
  release (): Promise<void>
}

/** Another process of this server works in the folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError'
}

/**
 * Takes a folder for this process, by a lock of the operating system that ends with the process however it ends.
 * @throws FolderInUseError
 */
export async function lockFolder (folder: string): Promise<FolderLock> {
  const handle = await open(join(folder, 'lock'), 'a+', 0o600)
  if (!tryLock(handle.fd)) {
    await handle.close()
    throw new FolderInUseError(`UPLOAD_FOLDER: another server is using ${folder}. Stop it, or give this one a folder of its own.`)
  }
  return { release: () => releaseLock(handle) }
}

async function releaseLock (handle: FileHandle): Promise<void> {
  unlock(handle.fd)
  await handle.close()
}

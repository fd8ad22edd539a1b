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

/** The folder cannot be taken: another server works in it, or this account may not. */
export class FolderUnusableError extends Error {
  override readonly name = 'FolderUnusableError'
}

/**
 * Takes our folder for this process, by a lock of the operating system that ends with the process however it ends. Creates it
 * where necessary.
 * @param uploadFolder - UPLOAD_FOLDER
 * @param shared - whether others may work in it that share it, too
 * @throws FolderUnusableError if another process has it, or it cannot be made or written to
 */
export async function lockFolder (uploadFolder: string, shared = false): Promise<LockedFolder> {
  const path = join(uploadFolder, SUBFOLDER)
  const handle = await lockFile(path).catch((cause: unknown) => {
    throw new FolderUnusableError(`UPLOAD_FOLDER: ${path} cannot be made, or not be written to (${codeOf(cause)}). Name a folder that this account may write to.`, { cause })
  })
  if (!tryLock(handle.fd, 0, 0, { shared })) {
    await handle.close()
    throw new FolderUnusableError(`UPLOAD_FOLDER: another server is using ${path}. Stop it, or give this one a folder of its own.`)
  }
  return { path, release: () => releaseLock(handle) }
}

async function lockFile (path: string): Promise<FileHandle> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  return await open(join(path, 'lock'), 'a+', 0o600)
}

const codeOf = (error: unknown): string => error instanceof Error && 'code' in error ? String(error.code) : String(error)

async function releaseLock (handle: FileHandle): Promise<void> {
  unlock(handle.fd)
  await handle.close()
}

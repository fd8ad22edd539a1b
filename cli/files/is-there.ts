import { lstat } from 'node:fs/promises'
import { hasCode } from './system-error.js'

/** Whether there is anything at this path, be it a link to nowhere. */
export async function isThere (path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false
    throw error
  }
}

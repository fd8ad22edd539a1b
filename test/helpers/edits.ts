/** Sources without one of their checks, so that what it stops is seen to happen. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** One place of the sources, and what it is without its check. */
export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Applies edits to a copy of the sources. @throws Error where a place is not there, or is there twice: it would prove nothing */
export async function applyEdits (folder: string, edits: readonly Edit[]): Promise<void> {
  for (const { file, find, replace } of edits) {
    const path = join(folder, file)
    const [before, after, ...more] = (await readFile(path, 'utf8')).split(find)
    if (before === undefined || after === undefined || more.length > 0) throw new Error(`${file} has another check than it had: ${find}`)
    await writeFile(path, before + replace + after)
  }
}

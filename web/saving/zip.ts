/** One archive of many files, made here: the server cannot, since it cannot read them. */

import { makeZip } from 'client-zip'
import type { OfferedFile } from '../../client/offers.js'
import { safePath } from '../../client/safe-path.js'
import type { Bytes } from '../../lib/crypto/bytes.js'
import { distinctNames } from '../../lib/files/names.js'

/** Files that client-zip can count. */
export const MAX_ENTRIES = 65_535

/** What is put into an archive. */
export interface Entry {
  readonly file: OfferedFile
  readonly content: AsyncIterable<Bytes>
}

/** The names of files in an archive: safe, and no two that a file system might take for one. */
export const entryNames = (files: readonly OfferedFile[]): ReadonlyMap<OfferedFile, string> => {
  const names = distinctNames(files.map(({ name }) => safePath(name).join('/')))
  return new Map(files.map((file, i) => [file, names[i] ?? '']))
}

/** The bytes of an archive, not compressed; entries are read as they are wanted. */
export const zipOf = (folders: readonly OfferedFile[], entries: AsyncIterable<Entry>, names: ReadonlyMap<OfferedFile, string>): ReadableStream<Bytes> =>
  makeZip(async function * () {
    for (const folder of folders) yield { name: `${names.get(folder) ?? ''}/`, lastModified: new Date(folder.modified) }
    for await (const { file, content } of entries) yield { name: names.get(file) ?? '', lastModified: new Date(file.modified), input: content }
  }()) as ReadableStream<Bytes>

/** The changes of a session's list of files, as pure functions that a store applies atomically. */

import type { FileId } from '../ids.js'
import type { Changed, NewFile, SessionRecord, StoredFile } from './session.js'

/** Adds the files of one upload, all or none. */
export function addFiles (record: SessionRecord, files: readonly NewFile[]): Changed<'added' | 'too-many' | 'too-large'> {
  const all = [...record.files, ...files.map((file, i) => ({ ...file, number: record.filesAdded + i + 1 }))]
  if (all.length > record.limits.maxFiles) return { record, outcome: 'too-many' }
  const size = all.reduce((sum, file) => sum + file.size, 0)
  if (size > record.limits.maxSessionSize) return { record, outcome: 'too-large' }
  return { record: { ...record, files: all, filesAdded: record.filesAdded + files.length }, outcome: 'added' }
}

/** A page of the list: up to `limit` files behind the one with the number `after`, and the number to go on after. */
export function pageOfFiles ({ files }: SessionRecord, limit: number, after = 0): { readonly files: readonly StoredFile[], readonly next: number | null } {
  const rest = files.filter(({ number }) => number > after)
  const page = rest.slice(0, limit)
  return { files: page, next: rest.length > limit ? page.at(-1)?.number ?? null : null }
}

/** Removes a file; the outcome is what was removed. */
export function removeFile (record: SessionRecord, id: FileId): Changed<StoredFile | undefined> {
  const outcome = record.files.find((file) => file.id === id)
  return { record: { ...record, files: record.files.filter((file) => file !== outcome) }, outcome }
}

/** Reserves one download of a file, so that no two can pass a limit of one. */
export function reserveDownload (record: SessionRecord, id: FileId): Changed<'reserved' | 'used-up' | 'not-found'> {
  const file = record.files.find((candidate) => candidate.id === id)
  if (file === undefined) return { record, outcome: 'not-found' }
  if (file.downloads >= (record.limits.maxDownloads ?? Number.POSITIVE_INFINITY)) return { record, outcome: 'used-up' }
  return { record: countDownload(record, id, 1), outcome: 'reserved' }
}

/** Gives the reservation of a broken download back. */
export const giveBackDownload = (record: SessionRecord, id: FileId): Changed<undefined> =>
  ({ record: countDownload(record, id, -1), outcome: undefined })

const countDownload = (record: SessionRecord, id: FileId, change: 1 | -1): SessionRecord => ({
  ...record,
  files: record.files.map((file) => file.id === id ? { ...file, downloads: file.downloads + change } : file)
})

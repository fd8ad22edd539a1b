/** The changes of a session's files and uploads, as pure functions that a store applies atomically. */

import type { FileId } from '../ids.js'
import type { Changed, FileEntry, NewFile, NewUpload, OpenUpload, ParticipantId, SessionRecord, StoredFile } from './session.js'

type Entry = StoredFile | OpenUpload

export const isUpload = (entry: Entry): entry is OpenUpload => 'length' in entry

/** Bytes that have arrived. */
export const offsetOf = ({ parts }: Pick<FileEntry, 'parts'>): number => parts.reduce((sum, size) => sum + size, 0)

const entries = ({ files, uploads }: SessionRecord): readonly Entry[] =>
  uploads.length === 0 ? files : [...files, ...uploads].sort((a, b) => a.number - b.number)

/** A file or an upload under way. */
export const findEntry = ({ files, uploads }: SessionRecord, id: FileId): Entry | undefined =>
  findFile(files, id) ?? uploads.find((upload) => upload.id === id)

/** Looks at one list of files from which on an index of it pays: requests with hundreds of files look for each of them. */
const MANY_LOOKS = 16
/** The index of a list, or how often it was looked at without one. */
const indices = new WeakMap<readonly StoredFile[], ReadonlyMap<FileId, StoredFile> | number>()

function findFile (files: readonly StoredFile[], id: FileId): StoredFile | undefined {
  const index = indices.get(files) ?? 0
  if (typeof index !== 'number') return index.get(id)
  indices.set(files, index + 1 < MANY_LOOKS ? index + 1 : new Map(files.map((file) => [file.id, file])))
  return files.find((file) => file.id === id)
}

/** Bytes that the session holds. */
export const storedBytes = ({ files, uploads }: SessionRecord): number =>
  files.reduce((sum, { size }) => sum + size, 0) + uploads.reduce((sum, upload) => sum + offsetOf(upload), 0)

type Refusal = 'too-many' | 'too-large' | 'exists'

function refusal (record: SessionRecord, added: readonly FileId[], bytes: number): Refusal | undefined {
  if (record.files.length + record.uploads.length + added.length > record.limits.maxFiles) return 'too-many'
  if (added.length > 0 && haveDuplicates([...added, ...record.files.map(({ id }) => id), ...record.uploads.map(({ id }) => id)])) return 'exists'
  return storedBytes(record) + bytes > record.limits.maxSessionSize ? 'too-large' : undefined
}

const haveDuplicates = (ids: readonly FileId[]): boolean => new Set(ids).size < ids.length

/** Adds the files of one upload, all or none. */
export function addFiles (record: SessionRecord, files: readonly NewFile[]): Changed<'added' | Refusal> {
  const refused = refusal(record, files.map(({ id }) => id), files.reduce((sum, { size }) => sum + size, 0))
  if (refused !== undefined) return { record, outcome: refused }
  const added = files.map((file, i) => ({ ...file, number: record.filesAdded + i + 1 }))
  return { record: { ...record, files: [...record.files, ...added], filesAdded: record.filesAdded + files.length }, outcome: 'added' }
}

/** Begins an upload that can be resumed. */
export function openUpload (record: SessionRecord, upload: NewUpload): Changed<'opened' | Refusal> {
  const refused = refusal(record, [upload.id], upload.length ?? 0)
  if (refused !== undefined) return { record, outcome: refused }
  const number = record.filesAdded + 1
  return { record: { ...record, uploads: [...record.uploads, { ...upload, number }], filesAdded: number }, outcome: 'opened' }
}

type UploadOutcome = 'changed' | 'too-large' | 'not-found' | 'superseded'

/** Who changes an upload, where several processes might; nothing where there is only one. */
export interface UploadChanger {
  /** The turn that was taken. */
  readonly turn?: number | undefined
  /** What the blob of a new part is told apart by. */
  readonly fence?: string | undefined
}

/** Takes an upload over: whoever had it before changes nothing more. The outcome is the upload as it is then. */
export function takeTurn (record: SessionRecord, id: FileId): Changed<OpenUpload | 'not-found'> {
  const upload = record.uploads.find((candidate) => candidate.id === id)
  if (upload === undefined) return { record, outcome: 'not-found' }
  const taken = { ...upload, turn: (upload.turn ?? 0) + 1 }
  return { record: { ...record, uploads: record.uploads.map((other) => other === upload ? taken : other) }, outcome: taken }
}

/** Adds a part that is stored for good; later ones go on behind it. */
export function appendPart (record: SessionRecord, id: FileId, size: number, changer: UploadChanger = {}): Changed<UploadOutcome> {
  if (refusal(record, [], size) === 'too-large') return { record, outcome: 'too-large' }
  return changeUpload(record, id, changer, (upload) => ({ ...upload, ...withPart(upload, size, changer) }))
}

/** The parts with one more behind them, and where blobs have fences those. */
export const withPart = ({ parts, fences = [] }: Pick<FileEntry, 'parts' | 'fences'>, size: number, { fence }: UploadChanger): Pick<FileEntry, 'parts' | 'fences'> =>
  ({ parts: [...parts, size], ...(fence !== undefined && { fences: [...fences, fence] }) })

/** Fixes the length of an upload that began without one. */
export const setLength = (record: SessionRecord, id: FileId, length: number, changer: UploadChanger = {}): Changed<UploadOutcome> =>
  changeUpload(record, id, changer, (upload) => ({ ...upload, length }))

/** Says which part of an upload is kept whole or not at all. */
export const guardPart = (record: SessionRecord, id: FileId, guardedPart: number | null, changer: UploadChanger = {}): Changed<UploadOutcome> =>
  changeUpload(record, id, changer, (upload) => ({ ...upload, guardedPart }))

function changeUpload (record: SessionRecord, id: FileId, { turn }: UploadChanger, change: (upload: OpenUpload) => OpenUpload): Changed<UploadOutcome> {
  const current = record.uploads.find((upload) => upload.id === id)
  if (current === undefined) return { record, outcome: 'not-found' }
  if (current.turn !== turn) return { record, outcome: 'superseded' }
  return { record: { ...record, uploads: record.uploads.map((upload) => upload.id === id ? change(upload) : upload) }, outcome: 'changed' }
}

/** What is known of an upload when its last part is stored. */
export interface Completion {
  /** The bytes of the last part; `null` if all parts have been added already. */
  readonly lastPart: number | null
  readonly contentType: string
  readonly sha256: string | null
}

/** Adds the last part of an upload and makes it a file, in its place in the list. */
export function completeUpload (record: SessionRecord, id: FileId, { lastPart, contentType, sha256 }: Completion, changer: UploadChanger = {}): Changed<StoredFile | 'too-large' | 'not-found' | 'superseded'> {
  const upload = record.uploads.find((candidate) => candidate.id === id)
  if (upload === undefined) return { record, outcome: 'not-found' }
  if (upload.turn !== changer.turn) return { record, outcome: 'superseded' }
  if (refusal(record, [], lastPart ?? 0) === 'too-large') return { record, outcome: 'too-large' }
  const { declaredType: _declared, length: _length, expectedSha256: _expected, guardedPart: _guarded, turn: _turn, ...entry } = upload
  const whole = { ...entry, ...(lastPart !== null && withPart(upload, lastPart, changer)) }
  const file: StoredFile = { ...whole, size: offsetOf(whole), contentType, sha256 }
  const files = [...record.files, file].sort((a, b) => a.number - b.number)
  return { record: { ...record, files, uploads: record.uploads.filter((other) => other !== upload) }, outcome: file }
}

/** Some of the entries of a session, and the number to go on after. */
export interface FilePage {
  readonly files: readonly Entry[]
  readonly next: number | null
}

/** A page of the list of what has not ended by `now`: up to `limit` entries behind the one with the number `after`. */
export function pageOfFiles (record: SessionRecord, now: number, limit: number, after: number): FilePage {
  const rest = entries(record).filter((entry) => entry.number > after && !hasEnded(entry, now))
  const page = rest.slice(0, limit)
  return { files: page, next: rest.length > limit ? page.at(-1)?.number ?? null : null }
}

/** Removes a file or an upload; the outcome is what was removed. */
export function removeFile (record: SessionRecord, id: FileId): Changed<Entry | undefined> {
  const outcome = findEntry(record, id)
  if (outcome === undefined) return { record, outcome }
  return { record: { ...record, files: record.files.filter((file) => file !== outcome), uploads: record.uploads.filter((upload) => upload !== outcome) }, outcome }
}

/**
 * Notes who has received files, of all or none; the outcome is those of which that is news. Between two clients a file may have gone past
 * the server (protocol, section 7), so it may be one of which more would come.
 */
export function markReceived (record: SessionRecord, ids: readonly FileId[], participant: ParticipantId): Changed<readonly Entry[] | 'not-found'> {
  const wanted = new Set(ids)
  const found = (record.kind === 'end-to-end' ? entries(record) : record.files).filter(({ id }) => wanted.has(id))
  if (found.length < wanted.size) return { record, outcome: 'not-found' }
  const news = new Set<Entry>(found.filter(({ receivedBy = [] }) => !receivedBy.includes(participant)))
  const noted = <Some extends Entry>(entry: Some): Some => news.has(entry) ? { ...entry, receivedBy: [...entry.receivedBy ?? [], participant] } : entry
  const changed = { ...record, files: record.files.map(noted), uploads: record.uploads.map(noted) }
  return { record: news.size === 0 ? record : changed, outcome: [...news] }
}

/** Whether the own time of a file or an upload is over; a sweeper removes it some seconds later. */
export const hasEnded = ({ endsAt }: Entry, now: number): boolean => endsAt !== null && now >= endsAt

/** The files and uploads whose own time is over. */
export const endedFiles = (record: SessionRecord, now: number): readonly Entry[] =>
  entries(record).filter((entry) => hasEnded(entry, now))

/** The moments at which files or uploads of a session end before it, each once. */
export const fileEnds = (record: SessionRecord): number[] =>
  [...new Set(entries(record).flatMap(({ endsAt }) => endsAt ?? []))]

/** Reserves one download of each of some files, of all or none, so that no two can pass a limit of one. */
export function reserveDownloads (record: SessionRecord, ids: ReadonlySet<FileId>): Changed<'reserved' | 'used-up' | 'not-found'> {
  const wanted = entries(record).filter(({ id }) => ids.has(id))
  if (wanted.length < ids.size) return { record, outcome: 'not-found' }
  if (wanted.some((entry) => entry.downloads >= (maxDownloads(record, entry) ?? Number.POSITIVE_INFINITY))) return { record, outcome: 'used-up' }
  return { record: countDownloads(record, ids, 1), outcome: 'reserved' }
}

/** How often a file may be downloaded: its own limit, or the session's where that is tighter; `null`: any number of times. */
export function maxDownloads ({ limits }: SessionRecord, entry: FileEntry): number | null {
  const given = [limits.maxDownloads, entry.maxDownloads].filter((limit) => limit !== null)
  return given.length === 0 ? null : Math.min(...given)
}

/** Gives the reservations of downloads that broke back. */
export const giveBackDownloads = (record: SessionRecord, ids: ReadonlySet<FileId>): Changed<undefined> =>
  ({ record: countDownloads(record, ids, -1), outcome: undefined })

function countDownloads (record: SessionRecord, ids: ReadonlySet<FileId>, change: 1 | -1): SessionRecord {
  const count = <Kind extends FileEntry> (entry: Kind): Kind => ids.has(entry.id) ? { ...entry, downloads: entry.downloads + change } : entry
  return { ...record, files: record.files.map(count), uploads: record.uploads.map(count) }
}

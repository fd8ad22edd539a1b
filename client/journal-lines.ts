/**
 * What a {@link SendJournal} that outlives its process writes down: lines of what was begun and done, one behind the other, and
 * beside them notes of chunks. Where they lie is the matter of who writes them; each is sealed for its place there.
 */

import { concat, fromBase64url, toBase64url, type Bytes } from '../lib/crypto/bytes.js'
import { isFileId } from '../lib/ids.js'
import type { ChunkNote, SendEntry, SendRecord } from './journal.js'

/** A record as a line of JSON has it. */
interface WrittenRecord {
  readonly key: string
  readonly fileId: string
  readonly size: number | null
  readonly modified: string
  readonly sealed?: { readonly salt: string, readonly chunkLog2: number, readonly metadata: string }
}

/** What happened to some sources, as it is written down. */
export type JournalLine = { readonly begin: readonly WrittenRecord[] } | { readonly done: readonly string[] }

/** What was begun for one source, while it is worked on. */
export interface JournalEntry extends SendEntry {
  noted: number
  done: boolean
}

/** What a journal is called where lines and notes of several things lie side by side. */
export const JOURNAL_NAME = 'sent'

/** The line that says that these are about to be sent. */
export const beginLine = (begun: ReadonlyArray<{ readonly key: string, readonly record: SendRecord }>): JournalLine =>
  ({ begin: begun.map(({ key, record }) => write(key, record)) })

/** Has a line happen. A record of the same key is replaced, with what was noted of it. */
export function applyLine (entries: Map<string, JournalEntry>, line: JournalLine): void {
  if ('begin' in line) {
    for (const written of line.begin) entries.set(written.key, { record: read(written), noted: 0, done: false })
    return
  }
  for (const key of line.done) {
    const entry = entries.get(key)
    if (entry !== undefined) entry.done = true
  }
}

const write = (key: string, { sealed, ...record }: SendRecord): WrittenRecord => ({
  key,
  ...record,
  ...(sealed !== undefined && { sealed: { chunkLog2: sealed.chunkLog2, salt: toBase64url(sealed.salt), metadata: toBase64url(sealed.metadata) } })
})

function read ({ fileId, size, modified, sealed }: WrittenRecord): SendRecord {
  if (!isFileId(fileId)) throw new TypeError('A record has no file id.')
  return { fileId, size, modified, ...(sealed !== undefined && { sealed: { chunkLog2: sealed.chunkLog2, salt: fromBase64url(sealed.salt), metadata: fromBase64url(sealed.metadata) } }) }
}

/** Bytes of a note: SHA-256 and a flag. */
export const NOTE_SIZE = 33

/** Notes of chunks that follow each other, as bytes. */
export const encodeNotes = (notes: readonly ChunkNote[]): Bytes => concat(...notes.flatMap(({ sha256, last }) => [sha256, Uint8Array.of(last ? 1 : 0)]))

/** The notes that bytes hold, from the one with this index on. */
export const decodeNotes = (bytes: Bytes, from = 0): readonly ChunkNote[] =>
  Array.from({ length: bytes.length / NOTE_SIZE - from }, (_, i) => decodeNote(bytes.subarray((from + i) * NOTE_SIZE)))

const decodeNote = (bytes: Bytes): ChunkNote => ({ sha256: bytes.slice(0, 32), last: bytes[32] === 1 })

/** @throws RangeError unless chunks are noted in a row, each once */
export function mustFollow (entry: JournalEntry | undefined, first: number): asserts entry is JournalEntry {
  if (entry?.noted !== first) throw new RangeError('Chunks are noted in a row, each once.')
}

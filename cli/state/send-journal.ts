import { constants } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { concat, fromBase64url, toBase64url, type Bytes } from '../../lib/crypto/bytes.js'
import { isFileId, type FileId } from '../../lib/ids.js'
import type { ChunkNote, SendEntry, SendJournal, SendRecord } from '../../client/journal.js'
import { SealedLog } from './sealed-log.js'
import { SEALING_SIZE, type Sealing } from '../../client/sealing.js'

/** A record as a line of JSON has it. */
interface WrittenRecord {
  readonly key: string
  readonly fileId: string
  readonly size: number | null
  readonly modified: string
  readonly sealed?: { readonly salt: string, readonly chunkLog2: number, readonly metadata: string }
}

type Line = { readonly begin: readonly WrittenRecord[] } | { readonly done: readonly string[] }

interface Entry {
  readonly record: SendRecord
  noted: number
  done: boolean
  file: FileHandle | undefined
}

/** Bytes of a note: SHA-256 and a flag, sealed. */
const NOTE_SIZE = 33 + SEALING_SIZE

/**
 * A {@link SendJournal} in a folder: a log of what was begun and done, and for each large source a file of notes of one size, so
 * that the note of a chunk lies where its index says.
 */
export class SendJournalFolder implements SendJournal {
  readonly #folder: string
  readonly #sealing: Sealing
  readonly #entries: Map<string, Entry>
  readonly #log: SealedLog<Line>

  private constructor (folder: string, sealing: Sealing, entries: Map<string, Entry>, log: SealedLog<Line>) {
    this.#folder = folder
    this.#sealing = sealing
    this.#entries = entries
    this.#log = log
  }

  static async open (folder: string, sealing: Sealing): Promise<SendJournalFolder> {
    const entries = new Map<string, Entry>()
    const log = await SealedLog.open<Line>(join(folder, 'sent'), { name: 'sent', sealing, onLine: (line) => apply(entries, line) })
    return new SendJournalFolder(folder, sealing, entries, log)
  }

  /** Whether anything was begun in an earlier run. */
  get isEmpty (): boolean {
    return this.#entries.size === 0
  }

  /** The ids under which anything was begun, from before a byte of it was sent. */
  get fileIds (): ReadonlySet<FileId> {
    return new Set(Array.from(this.#entries.values(), ({ record }) => record.fileId))
  }

  async load (key: string): Promise<SendEntry | undefined> {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (!entry.done && entry.file === undefined) await this.#readNotes(entry)
    return { record: entry.record, noted: entry.noted, done: entry.done }
  }

  async begin (begun: ReadonlyArray<{ readonly key: string, readonly record: SendRecord }>): Promise<void> {
    const line: Line = { begin: begun.map(({ key, record }) => write(key, record)) }
    await this.#log.append(line)
    for (const { key } of begun) await this.#forgetNotes(this.#entries.get(key))
    apply(this.#entries, line)
  }

  async note (key: string, first: number, chunks: readonly ChunkNote[]): Promise<void> {
    const entry = this.#entries.get(key)
    if (entry?.noted !== first) throw new RangeError('Chunks are noted in a row, each once.')
    entry.file ??= await this.#openNotes(entry.record.fileId)
    const sealed = await Promise.all(chunks.map(({ sha256, last }, i) => this.#sealing.seal(placeOf(entry, first + i), concat(sha256, Uint8Array.of(last ? 1 : 0)))))
    const bytes = concat(...sealed)
    await entry.file.write(bytes, 0, bytes.length, first * NOTE_SIZE)
    await entry.file.datasync()
    entry.noted += chunks.length
  }

  async noted (key: string, first: number, count: number): Promise<readonly ChunkNote[]> {
    const entry = this.#entries.get(key)
    const notes: ChunkNote[] = []
    if (entry === undefined) return notes
    for (let i = first; i < Math.min(first + count, entry.noted); i++) {
      const note = await this.#readNote(entry, i)
      if (note === undefined) break
      notes.push(note)
    }
    return notes
  }

  async done (keys: readonly string[]): Promise<void> {
    await this.#log.append({ done: keys })
    apply(this.#entries, { done: keys })
    for (const key of keys) await this.#forgetNotes(this.#entries.get(key))
  }

  async close (): Promise<void> {
    for (const { file } of this.#entries.values()) await file?.close()
    await this.#log.close()
  }

  /** Of the notes that are there, those count that lie before the first one that was torn. */
  async #readNotes (entry: Entry): Promise<void> {
    entry.file = await this.#openNotes(entry.record.fileId)
    const { size } = await entry.file.stat()
    entry.noted = Math.floor(size / NOTE_SIZE)
    while (entry.noted > 0 && await this.#readNote(entry, entry.noted - 1) === undefined) entry.noted -= 1
    await entry.file.truncate(entry.noted * NOTE_SIZE)
  }

  async #readNote (entry: Entry, index: number): Promise<ChunkNote | undefined> {
    const sealed = new Uint8Array(NOTE_SIZE)
    const { bytesRead = 0 } = await entry.file?.read(sealed, 0, NOTE_SIZE, index * NOTE_SIZE) ?? {}
    const note = bytesRead === NOTE_SIZE ? await this.#sealing.open(placeOf(entry, index), sealed) : undefined
    return note && { sha256: note.slice(0, 32), last: note[32] === 1 }
  }

  #openNotes (fileId: FileId): Promise<FileHandle> {
    return open(this.#notesOf(fileId), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  }

  async #forgetNotes (entry: Entry | undefined): Promise<void> {
    if (entry?.file === undefined) return
    await entry.file.close()
    entry.file = undefined
    await unlink(this.#notesOf(entry.record.fileId))
  }

  #notesOf (fileId: FileId): string {
    return join(this.#folder, `chunks-${fileId}`)
  }
}

const placeOf = ({ record }: Entry, index: number): string => `chunk:${record.fileId}:${index}`

function apply (entries: Map<string, Entry>, line: Line): void {
  if ('done' in line) {
    for (const key of line.done) {
      const entry = entries.get(key)
      if (entry !== undefined) entry.done = true
    }
    return
  }
  for (const written of line.begin) entries.set(written.key, { record: read(written), noted: 0, done: false, file: undefined })
}

const write = (key: string, { sealed, ...record }: SendRecord): WrittenRecord => ({
  key,
  ...record,
  ...(sealed !== undefined && { sealed: { chunkLog2: sealed.chunkLog2, salt: toBase64url(sealed.salt), metadata: toBase64url(sealed.metadata) } })
})

function read ({ fileId, size, modified, sealed }: WrittenRecord): SendRecord {
  if (!isFileId(fileId)) throw new TypeError('A record has no file id.')
  return { fileId, size, modified, ...(sealed !== undefined && { sealed: { chunkLog2: sealed.chunkLog2, salt: bytes(sealed.salt), metadata: bytes(sealed.metadata) } }) }
}

const bytes = (text: string): Bytes => fromBase64url(text)

import { constants } from 'node:fs'
import { open, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { concat } from '../../lib/crypto/bytes.js'
import type { FileId } from '../../lib/ids.js'
import type { ChunkNote, SendEntry, SendJournal, SendRecord } from '../../client/journal.js'
import { applyLine, beginLine, decodeNotes, encodeNotes, JOURNAL_NAME, mustFollow, NOTE_SIZE, type JournalEntry, type JournalLine } from '../../client/journal-lines.js'
import { SEALING_SIZE, type Sealing } from '../../client/sealing.js'
import { SealedLog } from './sealed-log.js'

/** Bytes of a note that is sealed. */
const SEALED_SIZE = NOTE_SIZE + SEALING_SIZE

/**
 * A {@link SendJournal} in a folder: a log of what was begun and done, and for each large source a file of notes of one size, so
 * that the note of a chunk lies where its index says.
 */
export class SendJournalFolder implements SendJournal {
  readonly #folder: string
  readonly #sealing: Sealing
  readonly #entries: Map<string, JournalEntry>
  readonly #log: SealedLog<JournalLine>
  /** The files of notes that are open. */
  readonly #files = new Map<FileId, FileHandle>()

  private constructor (folder: string, sealing: Sealing, entries: Map<string, JournalEntry>, log: SealedLog<JournalLine>) {
    this.#folder = folder
    this.#sealing = sealing
    this.#entries = entries
    this.#log = log
  }

  static async open (folder: string, sealing: Sealing): Promise<SendJournalFolder> {
    const entries = new Map<string, JournalEntry>()
    const log = await SealedLog.open<JournalLine>(join(folder, JOURNAL_NAME), { name: JOURNAL_NAME, sealing, onLine: (line) => { applyLine(entries, line) } })
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
    if (!entry.done && !this.#files.has(entry.record.fileId)) await this.#readNotes(entry)
    return { record: entry.record, noted: entry.noted, done: entry.done }
  }

  async begin (begun: ReadonlyArray<{ readonly key: string, readonly record: SendRecord }>): Promise<void> {
    const line = beginLine(begun)
    await this.#log.append(line)
    for (const { key } of begun) await this.#forgetNotes(this.#entries.get(key))
    applyLine(this.#entries, line)
  }

  async note (key: string, first: number, chunks: readonly ChunkNote[]): Promise<void> {
    const entry = this.#entries.get(key)
    mustFollow(entry, first)
    const file = await this.#notesOf(entry)
    const sealed = await Promise.all(chunks.map((note, i) => this.#sealing.seal(placeOf(entry, first + i), encodeNotes([note]))))
    const bytes = concat(...sealed)
    await file.write(bytes, 0, bytes.length, first * SEALED_SIZE)
    await file.datasync()
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
    const line = { done: keys }
    await this.#log.append(line)
    applyLine(this.#entries, line)
    for (const key of keys) await this.#forgetNotes(this.#entries.get(key))
  }

  async close (): Promise<void> {
    for (const file of this.#files.values()) await file.close()
    await this.#log.close()
  }

  /** Of the notes that are there, those count that lie before the first one that was torn. */
  async #readNotes (entry: JournalEntry): Promise<void> {
    const file = await this.#notesOf(entry)
    const { size } = await file.stat()
    entry.noted = Math.floor(size / SEALED_SIZE)
    while (entry.noted > 0 && await this.#readNote(entry, entry.noted - 1) === undefined) entry.noted -= 1
    await file.truncate(entry.noted * SEALED_SIZE)
  }

  async #readNote (entry: JournalEntry, index: number): Promise<ChunkNote | undefined> {
    const sealed = new Uint8Array(SEALED_SIZE)
    const { bytesRead = 0 } = await this.#files.get(entry.record.fileId)?.read(sealed, 0, SEALED_SIZE, index * SEALED_SIZE) ?? {}
    const note = bytesRead === SEALED_SIZE ? await this.#sealing.open(placeOf(entry, index), sealed) : undefined
    return note && decodeNotes(note)[0]
  }

  /** The file of its notes, open. */
  async #notesOf ({ record: { fileId } }: JournalEntry): Promise<FileHandle> {
    const file = this.#files.get(fileId) ?? await open(this.#pathOf(fileId), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    this.#files.set(fileId, file)
    return file
  }

  async #forgetNotes (entry: JournalEntry | undefined): Promise<void> {
    if (entry === undefined) return
    const { record: { fileId } } = entry
    const file = this.#files.get(fileId)
    if (file === undefined) return
    await file.close()
    this.#files.delete(fileId)
    await unlink(this.#pathOf(fileId))
  }

  #pathOf (fileId: FileId): string {
    return join(this.#folder, `chunks-${fileId}`)
  }
}

const placeOf = ({ record }: JournalEntry, index: number): string => `chunk:${record.fileId}:${index}`

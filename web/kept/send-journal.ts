import type { ChunkNote, SendEntry, SendJournal, SendRecord } from '../../client/journal.js'
import { applyLine, beginLine, decodeNotes, encodeNotes, JOURNAL_NAME, mustFollow, NOTE_SIZE, type JournalEntry, type JournalLine } from '../../client/journal-lines.js'
import { SEALING_SIZE, type Sealing } from '../../client/sealing.js'
import { utf8, type Bytes } from '../../lib/crypto/bytes.js'
import type { FileId } from '../../lib/ids.js'
import { database, rangeFrom, rangeOf, type Database, type KeptName, type KeptNotes } from './database.js'

/** What a journal belongs to. */
export interface JournalOwner {
  readonly name: KeptName
  readonly sealing: Sealing
  /** Its removal, from when that has begun. */
  readonly removal: Promise<void> | undefined
}

/** Notes that were opened: of one piece. */
interface Opened {
  readonly fileId: FileId
  readonly first: number
  readonly bytes: Bytes
}

/**
 * A {@link SendJournal} in the browser's database: what was begun and done, and the notes of each piece that was sent. A transaction
 * with durability `strict` is over when the disk has it (https://w3c.github.io/IndexedDB/#transaction-durability-hint).
 */
export class KeptSendJournal implements SendJournal {
  readonly #owner: JournalOwner
  readonly #onFull: () => Promise<void>
  readonly #entries = new Map<string, JournalEntry>()
  #lines = 0
  #last: Promise<unknown> = Promise.resolve()
  /** Chunks are compared one after the other. */
  #opened: Opened | undefined

  private constructor (owner: JournalOwner, onFull: () => Promise<void>) {
    this.#owner = owner
    this.#onFull = onFull
  }

  /** @param onFull - called where something cannot be written: when it has removed the owner, this process goes on without; if it rejects, so does what was to be written */
  static async open (owner: JournalOwner, onFull: () => Promise<void>): Promise<KeptSendJournal> {
    const journal = new KeptSendJournal(owner, onFull)
    await journal.#read()
    return journal
  }

  load (key: string): Promise<SendEntry | undefined> {
    const entry = this.#entries.get(key)
    return Promise.resolve(entry && { ...entry })
  }

  async begin (begun: ReadonlyArray<{ readonly key: string, readonly record: SendRecord }>): Promise<void> {
    await this.#append(beginLine(begun), begun.map(({ key }) => key))
  }

  async note (key: string, first: number, chunks: readonly ChunkNote[]): Promise<void> {
    const entry = this.#entries.get(key)
    mustFollow(entry, first)
    await this.#writeNotes(entry.record.fileId, first, chunks).catch(this.#onFull)
    entry.noted += chunks.length
  }

  async noted (key: string, first: number, count: number): Promise<readonly ChunkNote[]> {
    const entry = this.#entries.get(key)
    const notes: ChunkNote[] = []
    if (entry === undefined) return notes
    const wanted = Math.min(count, entry.noted - first)
    while (notes.length < wanted) {
      const some = await this.#notesFrom(entry.record.fileId, first + notes.length)
      if (some.length === 0) break
      notes.push(...some.slice(0, wanted - notes.length))
    }
    return notes
  }

  async done (keys: readonly string[]): Promise<void> {
    await this.#append({ done: keys }, keys)
  }

  /** The lines up to the first one that does not open, which goes with all that is behind it: no line is ever read after another than the one that it was written after. */
  async #read (): Promise<void> {
    const lines = await (await database()).getAll('lines', rangeOf(this.#owner.name))
    for (const { sealed } of lines) {
      const opened = await this.#owner.sealing.open(lineAt(this.#lines), sealed)
      if (opened === undefined) break
      applyLine(this.#entries, JSON.parse(new TextDecoder().decode(opened)) as JournalLine)
      this.#lines += 1
    }
    if (this.#lines < lines.length) await (await database()).delete('lines', rangeFrom(this.#owner.name, this.#lines))
    for (const entry of this.#entries.values()) if (!entry.done) entry.noted = await this.#countNotes(entry.record.fileId)
  }

  /** How many notes lie before the first ones that do not open, which go in the same way. */
  async #countNotes (fileId: FileId): Promise<number> {
    const kept = await database()
    let noted = 0
    for (const key of await kept.getAllKeys('notes', rangeOf(this.#owner.name, fileId))) {
      const opened = key[3] === noted ? await this.#open(await kept.get('notes', key)) : undefined
      if (opened === undefined) {
        await kept.delete('notes', rangeFrom(this.#owner.name, fileId, noted))
        break
      }
      noted += opened.bytes.length / NOTE_SIZE
    }
    return noted
  }

  /** Adds a line, and removes the notes that these sources had before it; the next one waits until both is safe. */
  #append (line: JournalLine, keys: readonly string[]): Promise<void> {
    const appended = this.#last.then(() => this.#writeLine(line, keys).catch(this.#onFull)).then(() => { applyLine(this.#entries, line) })
    this.#last = appended.catch(() => undefined)
    return appended
  }

  async #writeLine (line: JournalLine, keys: readonly string[]): Promise<void> {
    const sealed = await this.#owner.sealing.seal(lineAt(this.#lines), utf8(JSON.stringify(line)))
    await this.#unlessRemoved(async (kept) => {
      const transaction = kept.transaction(['lines', 'notes'], 'readwrite', { durability: 'strict' })
      const notes = transaction.objectStore('notes')
      const forgotten = keys.flatMap((key) => this.#entries.get(key) ?? []).filter(({ noted }) => noted > 0)
      await Promise.all([
        transaction.objectStore('lines').put({ ...this.#owner.name, index: this.#lines, sealed }),
        ...forgotten.map(({ record }) => notes.delete(rangeOf(this.#owner.name, record.fileId))),
        transaction.done
      ])
    })
    this.#lines += 1
  }

  async #writeNotes (fileId: FileId, first: number, chunks: readonly ChunkNote[]): Promise<void> {
    const sealed = await this.#owner.sealing.seal(placeOf(fileId, first), encodeNotes(chunks))
    await this.#unlessRemoved(async (kept) => {
      const transaction = kept.transaction('notes', 'readwrite', { durability: 'strict' })
      await Promise.all([transaction.store.put({ ...this.#owner.name, fileId, first, sealed }), transaction.done])
    })
  }

  /** What is not written because the session is being removed may leave when nobody can take that up any more. */
  async #unlessRemoved (write: (kept: Database) => Promise<void>): Promise<void> {
    const kept = await database()
    await (this.#owner.removal ?? write(kept))
  }

  /** Those of the notes from this one on that lie together with it. */
  async #notesFrom (fileId: FileId, index: number): Promise<readonly ChunkNote[]> {
    if (!holds(this.#opened, fileId, index)) this.#opened = await this.#open(await this.#find(fileId, index))
    return holds(this.#opened, fileId, index) ? decodeNotes(this.#opened.bytes, index - this.#opened.first) : []
  }

  /** The piece that the chunk would lie in: the last one that begins no later. */
  async #find (fileId: FileId, index: number): Promise<KeptNotes | undefined> {
    const { sessionId, role } = this.#owner.name
    const range = IDBKeyRange.bound([sessionId, role, fileId, 0], [sessionId, role, fileId, index])
    const cursor = await (await database()).transaction('notes').store.openCursor(range, 'prev')
    return cursor?.value
  }

  async #open (notes: KeptNotes | undefined): Promise<Opened | undefined> {
    if (notes === undefined || notes.sealed.length < SEALING_SIZE) return undefined
    const { fileId, first, sealed } = notes
    const bytes = await this.#owner.sealing.open(placeOf(fileId, first), sealed)
    return bytes && { fileId, first, bytes }
  }
}

const holds = (opened: Opened | undefined, fileId: FileId, index: number): opened is Opened =>
  opened?.fileId === fileId && index >= opened.first && index < opened.first + opened.bytes.length / NOTE_SIZE

const lineAt = (index: number): string => `${JOURNAL_NAME}:${index}`
const placeOf = (fileId: FileId, first: number): string => `chunks:${fileId}:${first}`

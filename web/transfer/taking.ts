/** Taking what is on offer: one wish after the other, each file verified before it is called saved. */

import { signal } from '@preact/signals'
import { isClientError } from '../../client/errors.js'
import type { OfferedFile } from '../../client/offers.js'
import { isSmallOffer } from '../../client/receive-many.js'
import type { Connection, Member } from '../../client/session.js'
import type { Bytes } from '../../lib/crypto/bytes.js'
import type { FileId } from '../../lib/ids.js'
import type { ReceiveLog } from '../kept/receive-log.js'
import { contentsOf, type Incoming, type Start } from '../saving/contents.js'
import { startDownload, type Download } from '../saving/download.js'
import { memoryPlace } from '../saving/memory-place.js'
import type { PartialFile, Place, Resumption } from '../saving/place.js'
import { privatePlace } from '../saving/private-place.js'
import { entryNames, zipOf, type Entry } from '../saving/zip.js'
import type { Gauge } from './gauge.js'
import type { OfferRow } from './offer-row.js'
import { problemOf, type Problem } from './problem.js'

export interface TakingOptions {
  readonly connection: Connection
  readonly member: Member
  /** Of everything that is taken. */
  readonly gauge: Gauge
  readonly signal: AbortSignal
  /** What a later tab goes on with; `undefined` where nothing can be kept. */
  readonly log: ReceiveLog | undefined
  /** Tells the sender of what was verified and saved. */
  readonly confirm: (ids: readonly FileId[]) => Promise<void>
  /** Called when he has been told. */
  readonly onConfirmed: () => Promise<void>
}

/** Bytes of the longest text that is shown; a longer one is a file. */
const MAX_TEXT = 2 ** 18
/** Files after which their sender is told of them. */
const BATCH = 100

/** Takes files. */
export class Taking {
  /** Whether something is coming. */
  readonly busy = signal(false)
  /** What went wrong with an archive, or with all that was asked for at once. */
  readonly problem = signal<Problem | undefined>(undefined)
  /** The last archive that was handed to the browser. */
  readonly archive = signal<Download | undefined>(undefined)
  readonly #options: TakingOptions
  readonly #rows = new Map<OfferedFile, OfferRow>()
  readonly #unconfirmed: FileId[] = []
  #confirming = 0
  #last: Promise<void> = Promise.resolve()

  constructor (options: TakingOptions) {
    this.#options = options
  }

  /** Whether the sender has been told of everything that is saved. */
  get isConfirmed (): boolean {
    return this.#unconfirmed.length === 0 && this.#confirming === 0
  }

  /** When nothing is coming any more. */
  get ended (): Promise<void> {
    return this.#last
  }

  /** Each file by itself: into a place of its user's, or as a download. */
  each (rows: readonly OfferRow[], chosen?: Place): Promise<void> {
    return this.#enqueue(rows, async () => {
      const place = chosen ?? await this.#downloads()
      await this.#makeFolders(rows, place)
      for await (const one of this.#contents(rows)) await this.#save(one, place)
    })
  }

  /** All of them in one archive, as a download. */
  zip (rows: readonly OfferRow[], name: string): Promise<void> {
    return this.#enqueue(rows, async () => {
      const place = await this.#downloads()
      const partial = await place.create([name], sum(rows))
      const taken: OfferRow[] = []
      try {
        const folders = rows.filter(isFolder)
        const files = rows.map(({ file }) => file)
        const stream = zipOf(folders.map(({ file }) => file), this.#entries(rows, taken), entryNames(files))
        await drain(stream, partial)
        const blob = await partial.finish()
        this.archive.value = blob && startDownload(blob, name)
        await this.#saved([...folders, ...taken], (row) => { row.is.value = { name: 'saved' } })
      } catch (error) {
        await partial.discard()
        // Nothing of an archive that was not finished has been saved.
        for (const row of taken) if (!['failed', 'withdrawn'].includes(row.state.value)) row.is.value = { name: 'offered' }
        throw error
      }
    })
  }

  /** One wish after the other. */
  #enqueue (rows: readonly OfferRow[], work: () => Promise<void>): Promise<void> {
    for (const row of rows) {
      this.#rows.set(row.file, row)
      row.reset('waiting')
    }
    this.busy.value = true
    this.problem.value = undefined
    this.#options.gauge.touch()
    this.#options.gauge.total.value = (this.#options.gauge.total.value ?? 0) + sum(rows)
    const done = this.#last.then(work).finally(() => this.#confirm()).catch((error: unknown) => { this.#fail(rows, error) }).finally(() => {
      this.#options.gauge.flush()
      if (this.#last === done) this.busy.value = false
    })
    this.#last = done
    return done
  }

  #fail (rows: readonly OfferRow[], error: unknown): void {
    for (const row of rows) {
      if (!row.isComing) continue
      row.gauge.flush()
      const counted = row.state.value === 'receiving' ? row.gauge.done.value : 0
      row.is.value = { name: 'offered' }
      const { gauge: { total } } = this.#options
      total.value = (total.value ?? 0) - (row.file.size ?? 0) + counted
    }
    if (!this.#options.signal.aborted) this.problem.value = problemOf(error)
  }

  async #downloads (): Promise<Place> {
    return await privatePlace() ?? memoryPlace
  }

  async #makeFolders (rows: readonly OfferRow[], place: Place): Promise<void> {
    const folders = rows.filter(isFolder)
    for (const { path } of folders) await place.makeFolder(path)
    await this.#saved(folders, (row) => { row.is.value = { name: 'saved' } })
  }

  /** What comes, of what can come; the rest is told of its failure. */
  async * #contents (rows: readonly OfferRow[]): AsyncGenerator<Incoming & { readonly row: OfferRow }, void, undefined> {
    const { connection, member, signal } = this.#options
    for await (const one of contentsOf(connection, member, rows.map(({ file }) => file), signal)) {
      const row = this.#rows.get(one.file)
      if (row === undefined) continue
      if ('error' in one) failRow(row, one.error)
      else yield { row, file: one.file, read: (start) => this.#counted(row, one, start) }
    }
  }

  async * #counted (row: OfferRow, { read }: Incoming, start: Start = {}): AsyncGenerator<Bytes, void, undefined> {
    row.reset('receiving')
    const onStart: Start['onStart'] = async (begin) => {
      await start.onStart?.(begin)
      this.#count(row, begin.at)
    }
    try {
      for await (const piece of read({ ...start, onStart })) {
        this.#count(row, piece.length)
        yield piece
      }
      row.gauge.flush()
    } catch (error) {
      if (isOfThisFile(error)) failRow(row, error)
      throw error
    }
  }

  #count (row: OfferRow, bytes: number): void {
    row.gauge.add(bytes)
    this.#options.gauge.add(bytes)
  }

  async * #entries (rows: readonly OfferRow[], taken: OfferRow[]): AsyncGenerator<Entry, void, undefined> {
    for await (const { row, file, read } of this.#contents(rows)) {
      taken.push(row)
      yield { file, content: read() }
    }
  }

  /** One file by itself: its failure is its own, unless nothing can be written. */
  async #save ({ row, read }: Incoming & { readonly row: OfferRow }, place: Place): Promise<void> {
    if (row.file.kind === 'text' && (row.file.size ?? Number.POSITIVE_INFINITY) <= MAX_TEXT) {
      await this.#show(row, read())
      return
    }
    const partial = await place.create(row.path, row.file.size, this.#resumptionOf(row))
    try {
      // What is here as a whole is not asked for again: it may be gone from the server, or its downloads used up.
      const isHere = this.#options.log?.saved.has(row.file.fileId) === true && partial.start?.from === row.file.size
      if (isHere) this.#options.gauge.add(row.file.size)
      else for await (const piece of read(partial.start)) await partial.write(piece)
      const blob = await partial.finish()
      await this.#saved([row], () => { row.is.value = { name: 'saved', download: blob && startDownload(blob, row.path.at(-1) ?? '') } })
    } catch (error) {
      if (!isOfThisFile(error)) {
        await partial.suspend()
        throw error
      }
      await partial.discard()
    }
  }

  /** Only a sealed file is one that can be gone on with: all of another is checked at its end. */
  #resumptionOf (row: OfferRow): Resumption | undefined {
    const { log, member, signal } = this.#options
    if (log === undefined || member.kind === 'managed' || isSmallOffer(row.file)) return undefined
    const ofFile = log.of(row.file.fileId)
    if (ofFile.kept !== undefined) row.reset('checking')
    const onChecked = (bytes: number): void => {
      row.gauge.add(bytes)
      this.#options.gauge.touch()
    }
    return { log: ofFile, onChecked, signal }
  }

  async #show (row: OfferRow, content: AsyncIterable<Bytes>): Promise<void> {
    const decoder = new TextDecoder()
    let text = ''
    try {
      for await (const piece of content) text += decoder.decode(piece, { stream: true })
    } catch (error) {
      if (!isOfThisFile(error)) throw error
      return
    }
    await this.#saved([row], () => { row.is.value = { name: 'saved', text: text + decoder.decode() } })
  }

  /** Says of files that they are saved; to their sender not of each small one by itself. */
  async #saved (rows: readonly OfferRow[], say: (row: OfferRow) => void): Promise<void> {
    for (const row of rows) say(row)
    this.#unconfirmed.push(...rows.map(({ file: { fileId } }) => fileId))
    if (this.#unconfirmed.length >= BATCH || rows.some(({ file }) => !isSmallOffer(file))) await this.#confirm()
  }

  /** Tells the sender of what an earlier tab has saved: nobody knows whether it came to that. */
  async confirmAgain (ids: readonly FileId[]): Promise<void> {
    this.#unconfirmed.push(...ids)
    await this.#confirm()
  }

  async #confirm (): Promise<void> {
    const ids = this.#unconfirmed.splice(0)
    if (ids.length > 0) await this.#tell(ids)
    // Also where what was asked for last had been taken back.
    await this.#options.onConfirmed()
  }

  async #tell (ids: readonly FileId[]): Promise<void> {
    this.#confirming += 1
    try {
      await this.#options.log?.save(ids)
      await this.#options.confirm(ids)
    } finally {
      this.#confirming -= 1
    }
  }
}

async function drain (stream: ReadableStream<Uint8Array<ArrayBuffer>>, partial: PartialFile): Promise<void> {
  const reader = stream.getReader()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      await partial.write(value)
    }
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}

const isFolder = ({ file: { kind } }: OfferRow): boolean => kind === 'directory'
const sum = (rows: readonly OfferRow[]): number => rows.reduce((bytes, { file: { size } }) => bytes + (size ?? 0), 0)

/** What is wrong with one file, while others may still come. */
const isOfThisFile = (error: unknown): boolean => isClientError(error, 'FILE_DAMAGED', 'FILE_NOT_FOUND', 'DOWNLOADS_USED_UP')

function failRow (row: OfferRow, error: unknown): void {
  row.is.value = isClientError(error, 'FILE_NOT_FOUND') ? { name: 'withdrawn' } : { name: 'failed', problem: problemOf(error) }
}

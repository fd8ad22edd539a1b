import { uptime } from 'node:os'
import { join } from 'node:path'
import type { Sealing } from '../../client/sealing.js'
import { fromBase64url, toBase64url, type Bytes } from '../../lib/crypto/bytes.js'
import type { FileId } from '../../lib/ids.js'
import { SealedLog } from './sealed-log.js'

/** Where a file was being written. */
export interface Planned {
  readonly fileId: FileId
  /** Of the partial file. */
  readonly path: string
  /** Whether it is to take the place of what is there. */
  readonly replace: boolean
}

/** How far a file has come. */
export interface ReceiveEntry {
  readonly path: string
  readonly replace: boolean
  /** The container's header, 92 bytes: what goes on must be the same. */
  readonly header: Bytes | undefined
  /** Bytes that are certainly on the disk. */
  readonly synced: number
  /** Whether all of it was written and verified, so that only its name was missing. */
  readonly whole: boolean
}

type Line =
  | { readonly boot: number }
  | { readonly planned: readonly Planned[] }
  | { readonly header: string, readonly fileId: FileId }
  | { readonly synced: number, readonly fileId: FileId }
  | { readonly whole: readonly FileId[] }
  | { readonly shown: readonly FileId[] }
  | { readonly skipped: readonly FileId[] }

/** Seconds by which the time of the machine's start may seem to differ between two runs. */
const BOOT_TOLERANCE = 5

/** When this machine was started, in seconds. */
const bootTime = (): number => Math.round(Date.now() / 1000 - uptime())

/** What has been received, and what was being received, in a file of the state folder. */
export class ReceiveJournal {
  readonly #log: SealedLog<Line>
  readonly #state: State

  private constructor (log: SealedLog<Line>, state: State) {
    this.#log = log
    this.#state = state
  }

  static async open (folder: string, sealing: Sealing): Promise<ReceiveJournal> {
    const state = new State()
    const log = await SealedLog.open<Line>(join(folder, 'received'), { name: 'received', sealing, onLine: (line) => { state.apply(line) } })
    const journal = new ReceiveJournal(log, state)
    if (state.boot === undefined) await journal.#add({ boot: bootTime() })
    return journal
  }

  /**
   * Whether the machine has been running since the journal was begun: then what was written is there, to the last byte, since
   * only a crash of the machine loses what the system has taken.
   */
  get sameBoot (): boolean {
    return Math.abs((this.#state.boot ?? 0) - bootTime()) <= BOOT_TOLERANCE
  }

  find (fileId: FileId): ReceiveEntry | undefined {
    return this.#state.entries.get(fileId)
  }

  /** Whether this text was shown. */
  isShown (fileId: FileId): boolean {
    return this.#state.shown.has(fileId)
  }

  /** Whether nobody wanted it. */
  isSkipped (fileId: FileId): boolean {
    return this.#state.skipped.has(fileId)
  }

  /** Partial files, before they are made. */
  planned (files: readonly Planned[]): Promise<void> {
    return this.#add({ planned: files })
  }

  header (fileId: FileId, header: Bytes): Promise<void> {
    return this.#add({ fileId, header: toBase64url(header) })
  }

  synced (fileId: FileId, bytes: number): Promise<void> {
    return this.#add({ fileId, synced: bytes })
  }

  /** Files that are complete and get their names now. */
  whole (fileIds: readonly FileId[]): Promise<void> {
    return this.#add({ whole: fileIds })
  }

  /** Texts that somebody has seen. */
  shown (fileIds: readonly FileId[]): Promise<void> {
    return this.#add({ shown: fileIds })
  }

  /** Files that nobody wants. */
  skipped (fileIds: readonly FileId[]): Promise<void> {
    return this.#add({ skipped: fileIds })
  }

  /** The partial files that there may be, of this run and of earlier ones. */
  get unfinished (): readonly string[] {
    const whole = new Set(Array.from(this.#state.entries.values(), (entry) => entry.whole ? entry.path : ''))
    return Array.from(this.#state.partials).filter((path) => !whole.has(path))
  }

  close (): Promise<void> {
    return this.#log.close()
  }

  async #add (line: Line): Promise<void> {
    await this.#log.append(line)
    this.#state.apply(line)
  }
}

class State {
  boot: number | undefined
  readonly entries = new Map<FileId, ReceiveEntry>()
  /** Also those that another one has taken the place of. */
  readonly partials = new Set<string>()
  readonly shown = new Set<FileId>()
  readonly skipped = new Set<FileId>()

  apply (line: Line): void {
    if ('boot' in line) this.boot = line.boot
    else if ('planned' in line) this.#plan(line.planned)
    else if ('header' in line) this.#change(line.fileId, { header: fromBase64url(line.header) })
    else if ('synced' in line) this.#change(line.fileId, { synced: line.synced })
    else if ('whole' in line) for (const fileId of line.whole) this.#change(fileId, { whole: true })
    else if ('shown' in line) for (const fileId of line.shown) this.shown.add(fileId)
    else for (const fileId of line.skipped) this.skipped.add(fileId)
  }

  #plan (files: readonly Planned[]): void {
    for (const { fileId, path, replace } of files) {
      this.entries.set(fileId, { path, replace, header: undefined, synced: 0, whole: false })
      this.partials.add(path)
    }
  }

  #change (fileId: FileId, change: Partial<ReceiveEntry>): void {
    const entry = this.entries.get(fileId)
    if (entry !== undefined) this.entries.set(fileId, { ...entry, ...change })
  }
}

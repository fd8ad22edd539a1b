import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'
import type { SessionRecord } from '../sessions/session.js'

/** Bytes that an upload writes between two looks at the disk. */
const STEP = 16 * 2 ** 20

export interface QuotaLimits {
  readonly maxFileSize: number
  readonly maxSessionSize: number
  readonly maxStorage: number
  readonly minFreeSpace: number
}

/** What uploads reserve room with, and what is removed gives it back to. */
export interface Quota {
  /**
   * Refuses an upload that cannot succeed, before a byte of it is read.
   * @param expected - bytes that will certainly come; 0 if unknown
   * @throws LocalSendError SESSION_SIZE_EXCEEDED, STORAGE_FULL
   */
  check (session: SessionRecord, expected: number): Promise<void>
  /**
   * Begins the count of one file, or of one more part of it.
   * @param before - bytes that its other parts have
   */
  file (session: SessionRecord, before?: number): FileReservation
  /** Counts what is stored already: that of a session which has survived a restart. */
  restore (sessionId: SessionId, bytes: number): void
  /** Gives back what a removed file, or a file that did not come to be, had reserved. */
  release (sessionId: SessionId, bytes: number): void
  /** Gives back whatever a session still has that has ended. */
  end (sessionId: SessionId): void
  /** Bytes stored and reserved in all. */
  readonly total: number
  /** Bytes stored and reserved of one session. */
  of (session: SessionRecord): number
}

/**
 * What is stored and what is about to be, by session and in all: uploads reserve room here before they write, and what is
 * removed gives it back. Counts bytes of plaintext, and never more of them than have arrived: of several uploads under way at
 * once, none is refused for what another has not sent.
 */
export class StorageQuota implements Quota {
  readonly #limits: QuotaLimits
  readonly #freeSpace: () => Promise<number>
  readonly #sessions = new Map<SessionId, number>()
  #total = 0

  /** @param freeSpace - bytes free on the disk */
  constructor (limits: QuotaLimits, freeSpace: () => Promise<number>) {
    this.#limits = limits
    this.#freeSpace = freeSpace
  }

  async check ({ id }: SessionRecord, expected: number): Promise<void> {
    this.#checkLimits(id, expected)
    await this.#checkDisk(expected)
  }

  file ({ id: sessionId }: SessionRecord, before = 0): FileReservation {
    return new FileReservation(this.#limits.maxFileSize, before, {
      reserve: (bytes) => { this.#reserve(sessionId, bytes) },
      checkDisk: (bytes) => this.#checkDisk(bytes),
      release: (bytes) => { this.release(sessionId, bytes) }
    })
  }

  restore (sessionId: SessionId, bytes: number): void {
    this.#sessions.set(sessionId, (this.#sessions.get(sessionId) ?? 0) + bytes)
    this.#total += bytes
  }

  release (sessionId: SessionId, bytes: number): void {
    const known = this.#sessions.get(sessionId) ?? 0
    // What another process has stored was never counted here.
    const released = Math.min(bytes, known)
    if (known > released) this.#sessions.set(sessionId, known - released)
    else this.#sessions.delete(sessionId)
    this.#total -= released
  }

  /** What an upload under way still holds, it gives back itself. */
  end (): void {}

  get total (): number {
    return this.#total
  }

  of ({ id }: SessionRecord): number {
    return this.#sessions.get(id) ?? 0
  }

  #reserve (sessionId: SessionId, bytes: number): void {
    this.#checkLimits(sessionId, bytes)
    this.restore(sessionId, bytes)
  }

  #checkLimits (sessionId: SessionId, bytes: number): void {
    if ((this.#sessions.get(sessionId) ?? 0) + bytes > this.#limits.maxSessionSize) throw new LocalSendError('SESSION_SIZE_EXCEEDED')
    if (this.#total + bytes > this.#limits.maxStorage) throw storageFull()
  }

  async #checkDisk (bytes: number): Promise<void> {
    if (await this.#freeSpace() - bytes < this.#limits.minFreeSpace) throw storageFull()
  }
}

interface Account {
  reserve (bytes: number): void | Promise<void>
  release (bytes: number): void
  /** Everything has come: what is reserved stays. */
  settle? (): void
  checkDisk (bytes: number): Promise<void>
}

/** The room that one file takes while it grows; it stays taken unless the reservation is cancelled. */
export class FileReservation {
  readonly #maxFileSize: number
  readonly #before: number
  readonly #account: Account
  #reserved = 0
  /** The disk has been looked at for the file up to this size. */
  #looked = 0

  constructor (maxFileSize: number, before: number, account: Account) {
    this.#maxFileSize = maxFileSize
    this.#before = before
    this.#account = account
  }

  /**
   * Takes room for bytes that have arrived.
   * @throws LocalSendError FILE_TOO_LARGE, SESSION_SIZE_EXCEEDED, STORAGE_FULL
   */
  async take (bytes: number): Promise<void> {
    const size = this.#reserved + bytes
    if (this.#before + size > this.#maxFileSize) throw new LocalSendError('FILE_TOO_LARGE', { detail: `The limit is ${this.#maxFileSize} bytes.` })
    const reserved = this.#account.reserve(bytes)
    this.#reserved = size
    if (reserved !== undefined) await reserved
    if (size <= this.#looked) return
    this.#looked = size + STEP
    await this.#account.checkDisk(bytes)
  }

  /** All of it is stored. */
  settle (): void {
    this.#account.settle?.()
  }

  /** The file did not come to be. */
  cancel (): void {
    this.#account.release(this.#reserved)
    this.#reserved = 0
  }
}

export const storageFull = (): LocalSendError => new LocalSendError('STORAGE_FULL', { retryAfter: 60 })

/**
 * Where received files are put. There are several places, since no browser has the best one that each has:
 *
 *     folder      one that the user chose; bytes go straight to the disk (Chromium)
 *     private     the origin's private file system; when a file is whole, the browser downloads it from there (all)
 *     memory      where neither is to be had, as in some private windows
 *
 * Invariant of each: what has not been finished does not stand under the file's name, whatever ends: the transfer, the tab, the
 * browser. The content of a file appears when its last chunk has been verified, or never.
 */

import type { Bytes } from '../../lib/crypto/bytes.js'
import type { FileLog } from '../kept/receive-log.js'
import type { Start } from './contents.js'

/** What a file is gone on with by, in places that can: then each write is one chunk. */
export interface Resumption {
  /** For how far it comes. */
  readonly log: FileLog
  /** Called while what an earlier tab has left of it is checked, with so many bytes more. */
  readonly onChecked: (bytes: number) => void
  /** Ends the check. */
  readonly signal: AbortSignal
}

/** A file that is coming. */
export interface PartialFile {
  /** Where an earlier try has come to; from the beginning by default. */
  readonly start?: Start
  /** Adds bytes, which the caller does not touch any more. Resolves when more can be taken. */
  write (bytes: Bytes): Promise<void>
  /**
   * All of it has come, and was verified.
   *
   * @returns what the browser is to download; `undefined` where the file stands in its place already
   */
  finish (): Promise<Blob | undefined>
  /** Keeps what has come for a later try to go on with; where it cannot be kept, it is removed. */
  suspend (): Promise<void>
  /** Removes what has come. */
  discard (): Promise<void>
}

/** A place for files. */
export interface Place {
  /**
   * Begins a file.
   *
   * @param path - folders and name, each of them safe
   * @param size - bytes; `null` if nobody knows
   * @throws ProblemError NO_ROOM, CANNOT_WRITE
   */
  create (path: readonly [string, ...string[]], size: number | null, resumption?: Resumption): Promise<PartialFile>
  /** Makes an empty folder, in places that have any. */
  makeFolder (path: readonly [string, ...string[]]): Promise<void>
}

import { randomBytes, toHex, type Bytes } from '../crypto/bytes.js'
import type { FileId, SessionId } from '../ids.js'
import type { FileEntry } from '../sessions/session.js'

/** Names one container: part `part` of a file. */
export interface BlobKey {
  readonly sessionId: SessionId
  readonly fileId: FileId
  readonly part: number
  /** Where several processes write: tells the blobs of two writers of one part apart, so that neither can write over the other's. */
  readonly fence?: string
}

/** The key of a part that a record knows. */
export const keyOfPart = (sessionId: SessionId, { id: fileId, fences }: Pick<FileEntry, 'id' | 'fences'>, part: number): BlobKey =>
  fencedKey({ sessionId, fileId, part }, fences?.[part])

export const fencedKey = (key: BlobKey, fence: string | undefined): BlobKey => fence === undefined ? key : { ...key, fence }

/** Makes fences. */
export const newFence = (): string => toHex(randomBytes(8))

/**
 * Where containers lie: opaque bytes under a key. It never sees a key of the cryptographic kind, nor a plaintext. Every
 * store passes the same contract suite (test/files/blob-store-contract.ts). Storage on the network may fail every call with
 * STORAGE_UNAVAILABLE.
 */
export interface BlobStore {
  /**
   * Bytes after which a blob had better be ended and another one begun: until it is committed, nobody can read it, and a crash
   * takes it. Infinity where what has been written can be read and stays.
   */
  readonly maxOpenBytes: number

  /**
   * Begins a new blob. Called once for each part.
   * @throws LocalSendError STORAGE_FULL; FILE_EXISTS, here or from commit, where there is one of this key, which stays as it is: of two senders who took the same id, one
   */
  create (key: BlobKey): Promise<BlobWriter>

  /** Whether there is a blob: a whole one, or one that a crash left open where such are kept. */
  has (key: BlobKey): Promise<boolean>

  /**
   * Opens a blob for reading: a whole one, or as much of it as has been written.
   * @throws LocalSendError CONTAINER_DAMAGED if there is none
   */
  open (key: BlobKey): Promise<BlobReader>

  /**
   * Ends a blob that a crash left open: what stands from `position` on is replaced by `end`. Interrupted itself, it leaves at
   * most that end torn.
   */
  replaceEnd (key: BlobKey, position: number, end: Bytes): Promise<void>

  /** Removes a blob; one that is not there is no error. Readers that have it open go on, or fail with CONTAINER_DAMAGED. */
  remove (key: BlobKey): Promise<void>

  /** Bytes that may still be stored; Infinity where the store does not know. Called before and during uploads. */
  freeSpace (): Promise<number>

  /** Throws where the store cannot be used; called often. */
  check (): Promise<void>

  /**
   * The blobs that were there before a moment, by their sessions. What was begun before it and can never be finished any more is
   * removed meanwhile. Called at start, and where several processes share the store, from time to time.
   * @param before - milliseconds since the epoch; Infinity where this process alone uses the store and writes nothing yet
   */
  inventory (before: number): Promise<ReadonlyMap<SessionId, readonly BlobKey[]>>

  /** Releases what the store itself holds. */
  close (): Promise<void>
}

/** Appends to one new blob. */
export interface BlobWriter {
  /**
   * Appends. Calls need not wait for each other and are kept in order; `bytes` must not change until the promise settles.
   * @throws LocalSendError STORAGE_FULL
   */
  write (bytes: Uint8Array): Promise<void>
  /**
   * Ends a blob that is complete; to be called after the last write has settled.
   * @throws LocalSendError STORAGE_FULL, FILE_EXISTS
   */
  commit (): Promise<void>
  /** Ends and removes the blob. Harmless after a commit that failed, and when called twice. */
  abort (): Promise<void>
}

export interface BlobReader {
  readonly size: number
  /**
   * Fills the whole of `target` from `position`; calls need not wait for each other.
   * @throws LocalSendError CONTAINER_DAMAGED if the blob ends before
   */
  read (target: Bytes, position: number): Promise<void>
  close (): Promise<void>
}

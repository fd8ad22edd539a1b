import { EventEmitter, once } from 'node:events'
import type { FileId } from '../ids.js'
import { offsetOf } from '../sessions/session-files.js'
import type { OpenUpload } from '../sessions/session.js'
import type { Checksum } from './checksum.js'

/** A part that is being written. */
interface OpenPart {
  readonly part: number
  /** Plaintext bytes of it that can be read: whole chunks, and never the last one. */
  readonly bytes: number
  readonly fence?: string | undefined
}

/** The digest of an upload up to an offset. */
interface Digested {
  readonly offset: number
  readonly checksum: Checksum
}

/**
 * What this process knows of the uploads under way beyond their records: what is being written, for those who read along; the
 * digest so far, which could otherwise only be had by reading everything again; whether a part may have been left by a crash.
 */
export class UploadActivity {
  readonly #changes = new EventEmitter().setMaxListeners(0)
  readonly #open = new Map<FileId, OpenPart>()
  readonly #discards = new Map<FileId, number>()
  readonly #digested = new Map<FileId, Digested>()
  readonly #sound = new Set<FileId>()

  /** Whether nothing can lie behind its last part: neither what an earlier process has left, nor what could not be removed. */
  isSound (id: FileId): boolean {
    return this.#sound.has(id)
  }

  /** It began in this process, or what a crash had left of it has been put in order. */
  markSound (id: FileId): void {
    this.#sound.add(id)
  }

  /** Something may lie behind its last part. */
  doubt (id: FileId): void {
    this.#sound.delete(id)
  }

  /** The digest up to this offset; `undefined` where this process has not seen all that stands before. */
  digestUpTo (id: FileId, offset: number): Checksum | undefined {
    const digested = this.#digested.get(id)
    return digested?.offset === offset ? digested.checksum.copy() : undefined
  }

  keepDigest (id: FileId, digested: Digested): void {
    this.#digested.set(id, digested)
  }

  /** What was digested did not become part of the upload. */
  forgetDigest (id: FileId): void {
    this.#digested.delete(id)
  }

  openPart (id: FileId): OpenPart | undefined {
    return this.#open.get(id)
  }

  /** Bytes that have arrived of an upload, those of the open part included as far as they can be read. */
  receivedOf ({ id, parts }: OpenUpload): number {
    const open = this.#open.get(id)
    return offsetOf({ parts }) + (open?.part === parts.length ? open.bytes : 0)
  }

  /** How often bytes that could be read already were thrown away. */
  discards (id: FileId): number {
    return this.#discards.get(id) ?? 0
  }

  /** More of the open part can be read. */
  advance (id: FileId, open: OpenPart): void {
    this.#open.set(id, open)
    this.#changes.emit(id)
  }

  /** Something has changed elsewhere. */
  wake (id: FileId): void {
    this.#changes.emit(id)
  }

  /** The open part has been added to the record, or thrown away. */
  close (id: FileId, outcome: 'kept' | 'discarded'): void {
    if (outcome === 'discarded' && this.#open.has(id)) this.#discards.set(id, this.discards(id) + 1)
    this.#open.delete(id)
    this.#changes.emit(id)
  }

  /** The upload is complete, or gone. */
  end (id: FileId): void {
    for (const known of [this.#open, this.#discards, this.#digested, this.#sound]) known.delete(id)
    this.#changes.emit(id)
  }

  /**
   * Settles with the next change in this process, or when the time is over; to be called before one looks at what there is.
   * @param milliseconds - at most; another process may have changed something
   * @throws the signal's reason
   */
  async next (id: FileId, milliseconds: number, signal: AbortSignal): Promise<void> {
    try {
      await once(this.#changes, id, { signal: AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]) })
    } catch {
      signal.throwIfAborted()
    }
  }
}

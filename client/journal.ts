/**
 * What a sender keeps so that another process can go on where it was interrupted (protocol local-send/1, section 5, "Never seal
 * two different plaintexts under one salt and index").
 *
 * Invariant: when a promise of `begin` or `note` is fulfilled, what it was given outlives the process and the machine's crash;
 * only then does a byte that it speaks of leave. A file id has one record, one salt and one sealed description, and a chunk of
 * it one note, ever.
 */

import type { Bytes } from '../lib/crypto/bytes.js'
import type { FileId } from '../lib/ids.js'

/** What was begun for one source. */
export interface SendRecord {
  readonly fileId: FileId
  /** Bytes of the source; `null` if unknown. */
  readonly size: number | null
  /** When the source was last changed, RFC 3339, UTC. */
  readonly modified: string
  /** Only in end-to-end sessions. */
  readonly sealed?: {
    /** 32 bytes: the container's. */
    readonly salt: Bytes
    readonly chunkLog2: number
    /** The description as it was sealed; it is sealed once and sent as often as it takes. */
    readonly metadata: Bytes
  }
}

/** What a chunk's plaintext was when it was sealed. */
export interface ChunkNote {
  /** 32 bytes. */
  readonly sha256: Bytes
  readonly last: boolean
}

/** A record with how far it has come. */
export interface SendEntry {
  readonly record: SendRecord
  /** Chunks that have been noted: those with the indices 0 to `noted` − 1. */
  readonly noted: number
  /** Whether the server has the whole of it. */
  readonly done: boolean
}

/**
 * Kept by whoever wants interrupted sends to be resumable; the command line keeps it on the disk. Keys are those of the sources.
 * A note torn by a crash was never fulfilled, so it is dropped. What is kept is secret: it says what was sent.
 */
export interface SendJournal {
  /** What is known of a source; `undefined` if nothing is. */
  load (key: string): Promise<SendEntry | undefined>
  /** Records what is about to be sent, durably. A record of the same key is replaced, together with its notes. */
  begin (begun: ReadonlyArray<{ readonly key: string, readonly record: SendRecord }>): Promise<void>
  /**
   * Adds the notes of the chunks `first`, `first` + 1, …, durably. `first` is always the number of chunks noted so far. Called
   * once for each piece that is sent.
   */
  note (key: string, first: number, chunks: readonly ChunkNote[]): Promise<void>
  /** The notes of up to `count` chunks from `first` on: fewer where there are no more. */
  noted (key: string, first: number, count: number): Promise<readonly ChunkNote[]>
  /** Records that the server has the whole of these; their notes are not asked for again. */
  done (keys: readonly string[]): Promise<void>
}

/** A journal that ends with the process: an upload goes on over broken connections, not over a restart of the client. */
export class MemoryJournal implements SendJournal {
  readonly #entries = new Map<string, { readonly record: SendRecord, readonly chunks: ChunkNote[], done: boolean }>()

  load (key: string): Promise<SendEntry | undefined> {
    const entry = this.#entries.get(key)
    return Promise.resolve(entry && { record: entry.record, noted: entry.chunks.length, done: entry.done })
  }

  begin (begun: ReadonlyArray<{ readonly key: string, readonly record: SendRecord }>): Promise<void> {
    for (const { key, record } of begun) this.#entries.set(key, { record, chunks: [], done: false })
    return Promise.resolve()
  }

  note (key: string, first: number, chunks: readonly ChunkNote[]): Promise<void> {
    const entry = this.#entries.get(key)
    if (entry?.chunks.length !== first) throw new RangeError('Chunks are noted in a row, each once.')
    entry.chunks.push(...chunks)
    return Promise.resolve()
  }

  noted (key: string, first: number, count: number): Promise<readonly ChunkNote[]> {
    return Promise.resolve(this.#entries.get(key)?.chunks.slice(first, first + count) ?? [])
  }

  done (keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const entry = this.#entries.get(key)
      if (entry !== undefined) entry.done = true
    }
    return Promise.resolve()
  }
}

/**
 * A source as the pieces of an upload: in an end-to-end session of its container (protocol local-send/1, section 5), otherwise of
 * its plain bytes.
 *
 * Invariant: no two plaintexts are sealed under one salt and index. What a chunk's plaintext was is noted before a piece with it
 * comes out of here; a chunk that was noted is sealed again only if SHA-256 and last flag of the very bytes that are sealed are
 * the noted ones. Without a journal nothing is sealed twice at all.
 */

import { equalBytes, type Bytes } from '../lib/crypto/bytes.js'
import { cutChunks, type Chunk } from '../lib/crypto/chunks.js'
import { chunkCount, containerSize, createSealer, HEADER_SIZE, TAG_SIZE, type Sealer, type SealerOptions } from '../lib/crypto/container.js'
import { discard } from '../lib/crypto/discard.js'
import { inFlight } from '../lib/crypto/streams.js'
import { interruptible } from './ahead.js'
import { ClientError } from './errors.js'
import type { ChunkNote, SendJournal } from './journal.js'
import type { Source } from './source.js'

/** Bytes that are sent in one request. */
export interface Piece {
  /** Where it begins, in bytes of what is uploaded. */
  readonly offset: number
  /** Valid until the piece after the next is asked for. */
  readonly bytes: Bytes
  readonly last: boolean
  /** Bytes of the source up to the end of this piece. */
  readonly sent: number
}

/** What is uploaded of one source. */
export interface Content {
  /** Bytes; `null` if unknown. */
  readonly length: number | null
  /** Whether it can be asked for more than once. */
  readonly repeatable: boolean
  /** Bytes that may have been sent before; a server that says it has more has not got them from here. */
  readonly begun: number
  /**
   * The pieces from the one on that `offset` lies in, to the end. Those that come again are the same bytes as before.
   *
   * @param sizeAt - bytes that the piece at an offset should have, about
   * @throws ClientError SOURCE_CHANGED, SOURCE_FAILED
   */
  pieces (offset: number, sizeAt: (offset: number) => number, signal: AbortSignal): AsyncGenerator<Piece, void, undefined>
}

/** Two buffers that pieces are put together in, one after the other: what is in one is sent while the other is filled. */
class Buffers {
  #pair: [Bytes, Bytes] = [new Uint8Array(), new Uint8Array()]

  /** A buffer of at least `size` bytes, the one that was not given last. */
  take (size: number): Bytes {
    const [next, other] = this.#pair
    const buffer = next.length >= size ? next : new Uint8Array(size)
    this.#pair = [other, buffer]
    return buffer
  }
}

/** The bytes of a source; its failures under their code. */
async function * bytesOf (source: Source, offset: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield * interruptible(source.read(offset, signal), signal)
  } catch (cause) {
    signal.throwIfAborted()
    throw cause instanceof ClientError ? cause : new ClientError('SOURCE_FAILED', { cause })
  }
}

const changed = (): ClientError => new ClientError('SOURCE_CHANGED')

/** A source as it is, for managed sessions. */
export class PlainContent implements Content {
  readonly length: number | null
  readonly repeatable: boolean
  readonly begun = Number.POSITIVE_INFINITY
  readonly #source: Source

  constructor (source: Source) {
    this.#source = source
    this.length = source.size
    this.repeatable = source.size !== null
  }

  async * pieces (offset: number, sizeAt: (offset: number) => number, signal: AbortSignal): AsyncGenerator<Piece, void, undefined> {
    const buffers = new Buffers()
    let at = offset
    let size = sizeAt(at)
    let buffer = buffers.take(size)
    let filled = 0
    for await (const bytes of bytesOf(this.#source, offset, signal)) {
      for (let taken = 0; taken < bytes.length;) {
        if (filled === size) {
          yield { offset: at, bytes: buffer.subarray(0, filled), last: false, sent: at + filled }
          at += filled
          size = sizeAt(at)
          buffer = buffers.take(size)
          filled = 0
        }
        const part = bytes.subarray(taken, taken + size - filled)
        buffer.set(part, filled)
        filled += part.length
        taken += part.length
        if (at + filled > (this.length ?? Number.POSITIVE_INFINITY)) throw changed()
      }
    }
    if (this.length !== null && at + filled !== this.length) throw changed()
    yield { offset: at, bytes: buffer.subarray(0, filled), last: true, sent: at + filled }
  }
}

/** What {@link SealedContent} seals under, and where it notes that. */
export interface Sealing extends Required<Pick<SealerOptions, 'contentKey' | 'fileId' | 'writer' | 'salt' | 'chunkLog2'>> {
  /** Without it, the content comes once. */
  readonly journal?: SendJournal | undefined
  /** What the journal knows the source by. */
  readonly key: string
  /** Chunks that the journal has notes of. */
  readonly noted: number
}

interface SealedChunk {
  readonly sealed: Bytes
  readonly last: boolean
  /** Bytes of plaintext. */
  readonly size: number
  /** `undefined` where there is one already, or no journal. */
  readonly note: ChunkNote | undefined
}

/** A source as its container. */
export class SealedContent implements Content {
  readonly length: number | null
  readonly repeatable: boolean
  readonly #source: Source
  readonly #sealing: Sealing
  readonly #chunkSize: number
  #noted: number

  constructor (source: Source, sealing: Sealing) {
    this.#source = source
    this.#sealing = sealing
    this.#noted = sealing.noted
    this.#chunkSize = 2 ** sealing.chunkLog2
    this.length = source.size === null ? null : containerSize(source.size, sealing.chunkLog2)
    this.repeatable = source.size !== null && sealing.journal !== undefined
  }

  get begun (): number {
    return this.#noted === 0 ? 0 : HEADER_SIZE + this.#noted * (this.#chunkSize + TAG_SIZE)
  }

  async * pieces (offset: number, sizeAt: (offset: number) => number, signal: AbortSignal): AsyncGenerator<Piece, void, undefined> {
    const sealedSize = this.#chunkSize + TAG_SIZE
    const first = Math.max(0, Math.floor((offset - HEADER_SIZE) / sealedSize))
    if (first > this.#noted) throw new RangeError('Chunks are sealed in a row: nobody has what comes behind those that were noted.')
    const sealer = await createSealer({ ...this.#sealing, startAt: first })
    const buffers = new Buffers()
    let at = first === 0 ? 0 : HEADER_SIZE + first * sealedSize
    let index = first
    let sent = first * this.#chunkSize
    let filled = 0
    let notes: ChunkNote[] = []
    const begin = (): { readonly buffer: Bytes, readonly until: number } => {
      const until = index + Math.max(1, Math.floor(sizeAt(at) / sealedSize))
      const buffer = buffers.take(HEADER_SIZE + (until - index) * sealedSize)
      if (at === 0) buffer.set(sealer.header)
      filled = at === 0 ? HEADER_SIZE : 0
      return { buffer, until }
    }
    let { buffer, until } = begin()
    for await (const chunk of inFlight(this.#chunks(first, signal), (chunk) => this.#seal(sealer, chunk))) {
      buffer.set(chunk.sealed, filled)
      filled += chunk.sealed.length
      discard(chunk.sealed)
      sent += chunk.size
      index += 1
      if (chunk.note !== undefined) notes.push(chunk.note)
      if (index < until && !chunk.last) continue
      await this.#note(notes)
      notes = []
      yield { offset: at, bytes: buffer.subarray(0, filled), last: chunk.last, sent }
      at += filled
      if (!chunk.last) ({ buffer, until } = begin())
    }
  }

  /** The chunks from `first` on; those that have been sealed before have been found to be the same ones. */
  async * #chunks (first: number, signal: AbortSignal): AsyncGenerator<Chunk, void, undefined> {
    const { size } = this.#source
    const count = size === null ? undefined : chunkCount(size, this.#sealing.chunkLog2)
    for await (const cut of cutChunks(bytesOf(this.#source, first * this.#chunkSize, signal), this.#chunkSize)) {
      const chunk = { ...cut, index: first + cut.index }
      if (count !== undefined && chunk.last !== (chunk.index === count - 1)) throw changed()
      if (chunk.last && size !== null && chunk.index * this.#chunkSize + chunk.bytes.length !== size) throw changed()
      if (chunk.index < this.#noted) await this.#compare(chunk)
      yield chunk
    }
  }

  async #compare ({ index, last, bytes }: Chunk): Promise<void> {
    const [note] = await this.#sealing.journal?.noted(this.#sealing.key, index, 1) ?? []
    const sha256 = await digest(bytes)
    if (note?.last !== last || !equalBytes(note.sha256, sha256)) throw changed()
  }

  /** Both calls copy the bytes before they return, so what is noted is what is sealed. */
  async #seal (sealer: Sealer, { index, last, bytes }: Chunk): Promise<SealedChunk> {
    const size = bytes.length
    if (this.#sealing.journal === undefined || index < this.#noted) return { sealed: await sealer.seal(index, last, bytes), last, size, note: undefined }
    const [sealed, sha256] = await Promise.all([sealer.seal(index, last, bytes), digest(bytes)])
    return { sealed, last, size, note: { sha256, last } }
  }

  async #note (notes: readonly ChunkNote[]): Promise<void> {
    if (notes.length === 0) return
    await this.#sealing.journal?.note(this.#sealing.key, this.#noted, notes)
    this.#noted += notes.length
  }
}

const digest = async (bytes: Bytes): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))

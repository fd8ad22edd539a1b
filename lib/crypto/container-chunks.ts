/**
 * Sealing and opening the chunks of a container (protocol local-send/1, section 5), AES-256-GCM (NIST SP 800-38D,
 * https://csrc.nist.gov/pubs/sp/800/38/d/final), in the shape of STREAM (https://eprint.iacr.org/2015/189).
 *
 *     container = header(92) ‖ chunk_0 ‖ … ‖ chunk_(count−1)
 *     chunk_i   = AES-256-GCM(encKey, nonce_i, plaintext bytes [i·S, (i+1)·S), aad = header)      at most S + 16 bytes
 *     nonce_i   = prefix(7) ‖ u32(i) ‖ (01 if last, else 00)
 *
 * Invariant: never two different plaintexts under one salt and index. A sealer takes every index once, in order, and nothing
 * after the last one; only {@link SealerOptions.startAt} can break that, and says how it must not.
 */

import { LocalSendError } from '../errors.js'
import type { FileId } from '../ids.js'
import type { Bytes } from './bytes.js'
import { CONTAINER, TAG_SIZE, chunkParameters, createHeader, newSalt, unlockHeader, type Expectations, type Unlocked, type Writer } from './container-header.js'
import { CHUNK_LOG2, MAX_PLAINTEXT } from './container-sizes.js'

/** What a writer fixes for one container. */
export interface SealerOptions {
  /** 32 bytes. */
  readonly contentKey: Bytes
  readonly fileId: FileId
  readonly writer: Writer
  /** From 0, which is the default. */
  readonly part?: number
  /** 16 to 20; 18 is the default. */
  readonly chunkLog2?: number
  /** 32 bytes; random unless an interrupted upload goes on, or a test fixes them. */
  readonly salt?: Bytes
  /**
   * Index of the first chunk that this sealer takes; 0 by default. Anything else goes on with an interrupted container under
   * its stored `salt`. A chunk that may have been sealed before is sealed again only if SHA-256 of its plaintext, its index
   * and its last flag are the stored ones (section 5): two plaintexts under one nonce disclose both and allow forgeries.
   */
  readonly startAt?: number
}

/** Seals the chunks of one container. */
export interface Sealer {
  /** 92 bytes, which stand before the first chunk. */
  readonly header: Bytes
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number
  /**
   * Seals the next chunk; up to `chunkSize` + 16 bytes. Several calls may be under way: they are made in order of the index and
   * may finish in another. The plaintext is copied before `seal` returns, so its buffer may be used again at once.
   *
   * @throws RangeError (as a rejection) for an index that is not the next one, anything after the last chunk, or a plaintext
   *   that has not exactly `chunkSize` bytes (the last one: 1 to `chunkSize`, or 0 at index 0)
   */
  seal (index: number, last: boolean, plaintext: Bytes): Promise<Bytes>
}

/** Opens the chunks of one container, in any order. */
export interface Opener {
  /** Bytes of every plaintext chunk but the last. */
  readonly chunkSize: number
  /** Who wrote the container: one of those expected. */
  readonly writer: Writer
  /**
   * The plaintext of one chunk. The ciphertext is copied before `open` returns, so its buffer may be used again at once.
   *
   * @throws CONTAINER_DAMAGED if this is not the chunk that was sealed at this index with this last flag
   */
  open (index: number, last: boolean, ciphertext: Bytes): Promise<Bytes>
}

/** Whether a plaintext chunk may have this length: S; the last one 1 to S, and 0 only as the whole of an empty file. */
const isChunk = (index: number, last: boolean, length: number, chunkSize: number): boolean => {
  if (!Number.isInteger(index) || index < 0 || index * chunkSize + length > MAX_PLAINTEXT) return false
  return last ? length <= chunkSize && (length > 0 || index === 0) : length === chunkSize
}

class ContainerSealer implements Sealer {
  readonly header: Bytes
  readonly chunkSize: number
  readonly #unlocked: Unlocked
  #next: number

  constructor (unlocked: Unlocked, startAt: number) {
    this.header = unlocked.header
    this.chunkSize = 2 ** unlocked.chunkLog2
    this.#unlocked = unlocked
    this.#next = startAt
  }

  async seal (index: number, last: boolean, plaintext: Bytes): Promise<Bytes> {
    if (index !== this.#next) throw new RangeError(`Chunk ${index} is not the next one: sealing an index twice under one salt would disclose both plaintexts.`)
    if (!isChunk(index, last, plaintext.length, this.chunkSize)) throw new RangeError(`Chunk ${index} cannot have ${plaintext.length} bytes.`)
    this.#next = last ? Number.NaN : index + 1
    return new Uint8Array(await crypto.subtle.encrypt(chunkParameters(this.#unlocked, index, last), this.#unlocked.key, plaintext))
  }
}

class ContainerOpener implements Opener {
  readonly chunkSize: number
  readonly writer: Writer
  readonly #unlocked: Unlocked

  constructor (unlocked: Unlocked) {
    this.chunkSize = 2 ** unlocked.chunkLog2
    this.writer = unlocked.writer
    this.#unlocked = unlocked
  }

  async open (index: number, last: boolean, ciphertext: Bytes): Promise<Bytes> {
    if (!isChunk(index, last, ciphertext.length - TAG_SIZE, this.chunkSize)) throw damaged(index)
    try {
      return new Uint8Array(await crypto.subtle.decrypt(chunkParameters(this.#unlocked, index, last), this.#unlocked.key, ciphertext))
    } catch (cause) {
      throw damaged(index, cause)
    }
  }
}

const damaged = (index: number, cause?: unknown) => new LocalSendError('CONTAINER_DAMAGED', { detail: `Chunk ${index} does not open.`, cause })

/**
 * A sealer for a new container.
 *
 * @throws RangeError on a key, salt, part or chunkLog2 of the wrong size, or on `startAt` without the salt it goes on under
 */
export const createSealer = async ({ contentKey, fileId, writer, part = 0, chunkLog2 = CHUNK_LOG2, salt, startAt = 0 }: SealerOptions): Promise<Sealer> => {
  if (startAt !== 0 && salt === undefined) throw new RangeError('Only a container under a stored salt can be continued.')
  return new ContainerSealer(await createHeader(CONTAINER, { contentKey, fileId, writer, part, chunkLog2, salt: salt ?? newSalt() }), startAt)
}

/**
 * An opener for a container of which the 92 bytes of the header have been read. The commitment is recomputed and compared
 * before any chunk is opened.
 *
 * @throws CONTAINER_DAMAGED unless every byte of the header is as expected
 */
export const openContainer = async (header: Uint8Array, expected: Expectations): Promise<Opener> =>
  new ContainerOpener(await unlockHeader(CONTAINER, header, expected))

/**
 * Seals a whole chunk again as the last one of its container: what closes an interrupted part after a crash (section 5). It
 * takes the ciphertext that is there, so the plaintext is the same one and only the nonce differs; the part ends with it for
 * good.
 *
 * @param header the 92 bytes of the part
 * @param ciphertext the chunk `index` as it was sealed, not as the last one: chunkSize + 16 bytes
 * @throws CONTAINER_DAMAGED if the header or the chunk is not the expected one
 */
export const sealAgainAsLast = async (header: Uint8Array, expected: Expectations, index: number, ciphertext: Bytes): Promise<Bytes> => {
  const unlocked = await unlockHeader(CONTAINER, header, expected, ['decrypt', 'encrypt'])
  const plaintext = await new ContainerOpener(unlocked).open(index, false, ciphertext)
  return new ContainerSealer(unlocked, index).seal(index, true, plaintext)
}

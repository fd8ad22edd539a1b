/**
 * The arithmetic of containers (protocol local-send/1, section 5), without any cryptography: sizes in both directions, and
 * which chunks a range of the plaintext lies in.
 *
 *     S = 2^chunkLog2      count = max(1, ceil(P / S))      container size = 92 + P + 16·count      P ≤ 2^40
 *     chunk i stands at 92 + i·(S + 16)
 *
 * Invariant: exact up to 2^40 bytes: no operator here works on 32 bits.
 */

import { LocalSendError } from '../errors.js'
import { HEADER_SIZE, TAG_SIZE } from './container-header.js'

/** What writers use for chunkLog2: chunks of 256 KiB (section 5). */
export const CHUNK_LOG2 = 0x12
/** Bytes of the largest plaintext. */
export const MAX_PLAINTEXT = 2 ** 40

const isSize = (value: number): boolean => Number.isSafeInteger(value) && value >= 0

/**
 * Chunks of a plaintext of `plaintextSize` bytes: at least one, since an empty file is one empty chunk.
 *
 * @throws RangeError unless it is a size from 0 to 2^40
 */
export const chunkCount = (plaintextSize: number, chunkLog2 = CHUNK_LOG2): number => {
  if (!isSize(plaintextSize) || plaintextSize > MAX_PLAINTEXT) throw new RangeError(`${plaintextSize} is not a size from 0 to 2^40.`)
  return Math.max(1, Math.ceil(plaintextSize / 2 ** chunkLog2))
}

/** Bytes of the container of a plaintext; RangeError as {@link chunkCount}. */
export const containerSize = (plaintextSize: number, chunkLog2 = CHUNK_LOG2): number =>
  HEADER_SIZE + plaintextSize + TAG_SIZE * chunkCount(plaintextSize, chunkLog2)

/**
 * Bytes of the plaintext in a container of `containerSize` bytes. Only what the size promises: the last chunk must be opened
 * before it is trusted.
 *
 * @throws CONTAINER_DAMAGED if no plaintext has a container of this size
 */
export const plaintextSize = (size: number, chunkLog2 = CHUNK_LOG2): number => {
  const body = size - HEADER_SIZE
  const plaintext = body - TAG_SIZE * Math.ceil(body / (2 ** chunkLog2 + TAG_SIZE))
  if (!isSize(plaintext) || plaintext > MAX_PLAINTEXT || containerSize(plaintext, chunkLog2) !== size) throw new LocalSendError('CONTAINER_DAMAGED')
  return plaintext
}

/** Where a range of the plaintext lies in its container. */
export interface ChunkSpan {
  /** Index of the first chunk to read. */
  readonly first: number
  /** Index of the last chunk to read, inclusive. */
  readonly last: number
  /** Chunks of the whole container: the chunk `count - 1` is the one marked as last. */
  readonly count: number
  /** Byte of the container where the chunk `first` begins. */
  readonly offset: number
  /** Bytes of ciphertext from `offset` to the end of the chunk `last`. */
  readonly length: number
  /** Bytes of the first chunk's plaintext that stand before the range. */
  readonly skip: number
  /** Bytes of plaintext in the range. */
  readonly size: number
}

/**
 * Where the plaintext bytes [start, endExclusive) lie: chunks floor(a/S) to floor(b/S), from 92 + i(S+16) (section 5).
 *
 * `plaintextSize` comes from a record or a directory, so it is a claim: before a total size is told to anyone as the truth,
 * the chunk `count - 1` must have been opened as the last one.
 *
 * @throws RangeError unless 0 ≤ start < endExclusive ≤ plaintextSize ≤ 2^40, or all three are 0 (the range of an empty file)
 */
export const chunkSpan = (start: number, endExclusive: number, plaintextSize: number, chunkLog2 = CHUNK_LOG2): ChunkSpan => {
  const inside = start < endExclusive && endExclusive <= plaintextSize
  const emptyFile = start === 0 && endExclusive === 0 && plaintextSize === 0
  if (!isSize(start) || !isSize(endExclusive) || (!inside && !emptyFile)) throw new RangeError(`[${start}, ${endExclusive}) is not a range of ${plaintextSize} bytes.`)
  const S = 2 ** chunkLog2
  const count = chunkCount(plaintextSize, chunkLog2)
  const first = Math.floor(start / S)
  const last = Math.floor(Math.max(0, endExclusive - 1) / S)
  const offset = HEADER_SIZE + first * (S + TAG_SIZE)
  const end = last === count - 1 ? containerSize(plaintextSize, chunkLog2) : HEADER_SIZE + (last + 1) * (S + TAG_SIZE)
  return { first, last, count, offset, length: end - offset, skip: start - first * S, size: endExclusive - start }
}

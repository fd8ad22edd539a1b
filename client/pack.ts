/** Small sources, gathered until there are enough for one request; each is read whole and sealed once. */

import { concat, toBase64url, type Bytes } from '../lib/crypto/bytes.js'
import { containerSize, createSealer } from '../lib/crypto/container.js'
import { inFlight } from '../lib/crypto/streams.js'
import type { FileId } from '../lib/ids.js'
import { newFileId } from '../lib/new-ids.js'
import { interruptible } from './ahead.js'
import { sealDescription } from './begin-upload.js'
import { ClientError, isClientError } from './errors.js'
import { isOfOneFile, writerOf, type FailedSource, type KeyedSource, type Sender } from './sender.js'
import type { Source } from './source.js'

/** Bytes of the largest source that is packed with others: those of one chunk. */
const SMALL = 2 ** 18
/** Sources of one request, and bytes of them. */
const BATCH_FILES = 500
const BATCH_SIZE = 2 ** 23
/** Bytes that a description takes on the way, about. */
const DESCRIPTION_SIZE = 1024

/** A small source as it is sent, every time. */
export interface Packed extends KeyedSource {
  /** Only in end-to-end sessions; in the others the server draws the id. */
  readonly sealed: { readonly fileId: FileId, readonly metadata: string } | undefined
  readonly content: Bytes
}

/** Whether a source is packed with others. */
export const isSmall = ({ size }: Source): boolean => size !== null && size <= SMALL

/** Gathers small sources. */
export class Gathering {
  #sources: KeyedSource[] = []
  #size = 0

  /** @returns whether that was enough */
  add (keyed: KeyedSource): boolean {
    this.#sources.push(keyed)
    this.#size += containerSize(keyed.source.size ?? 0) + DESCRIPTION_SIZE
    return this.#sources.length >= BATCH_FILES || this.#size >= BATCH_SIZE
  }

  /** What was gathered; it begins anew. */
  take (): readonly KeyedSource[] {
    const sources = this.#sources
    this.#sources = []
    this.#size = 0
    return sources
  }
}

/** Reads and seals small sources. */
export async function pack (sender: Sender, sources: readonly KeyedSource[], signal: AbortSignal): Promise<ReadonlyArray<Packed | FailedSource>> {
  const packed: Array<Packed | FailedSource> = []
  for await (const one of inFlight(iterate(sources), (keyed) => packOrFail(sender, keyed, signal))) packed.push(one)
  return packed
}

async function * iterate <Item> (items: Iterable<Item>): AsyncGenerator<Item, void, undefined> {
  yield * await Promise.resolve(items)
}

async function packOrFail (sender: Sender, { source, key }: KeyedSource, signal: AbortSignal): Promise<Packed | FailedSource> {
  try {
    return await packOne(sender, { source, key }, signal)
  } catch (error) {
    if (isClientError(error, 'SOURCE_CHANGED') && source.renew !== undefined) return await packRenewed(sender, { source, key }, signal)
    if (isClientError(error) && isOfOneFile(error)) return { source, error }
    throw error
  }
}

/** A second try, with the source as it is now: if that grew large meanwhile, it has failed. */
async function packRenewed (sender: Sender, { source, key }: KeyedSource, signal: AbortSignal): Promise<Packed | FailedSource> {
  try {
    const renewed = await source.renew?.() ?? source
    if (!isSmall(renewed)) throw new ClientError('SOURCE_CHANGED')
    return await packOne(sender, { source: renewed, key }, signal)
  } catch (error) {
    if (isClientError(error) && isOfOneFile(error)) return { source, error }
    throw error
  }
}

async function packOne (sender: Sender, { source, key }: KeyedSource, signal: AbortSignal): Promise<Packed> {
  const { contentKey } = sender.member
  const plaintext = await readWhole(source, signal)
  if (contentKey === undefined) return { source, key, sealed: undefined, content: plaintext }
  const fileId = newFileId()
  const metadata = toBase64url(await sealDescription(sender, contentKey, source, fileId))
  const sealer = await createSealer({ contentKey, fileId, writer: writerOf(sender.member) })
  return { source, key, sealed: { fileId, metadata }, content: concat(sealer.header, await sealer.seal(0, true, plaintext)) }
}

/** @throws ClientError SOURCE_CHANGED if it is longer or shorter than it says; SOURCE_FAILED */
async function readWhole (source: Source, signal: AbortSignal): Promise<Bytes> {
  const content = new Uint8Array(source.size ?? 0)
  let filled = 0
  try {
    for await (const piece of interruptible(source.read(0, signal), signal)) {
      if (filled + piece.length > content.length) throw new ClientError('SOURCE_CHANGED')
      content.set(piece, filled)
      filled += piece.length
    }
  } catch (cause) {
    signal.throwIfAborted()
    throw cause instanceof ClientError ? cause : new ClientError('SOURCE_FAILED', { cause })
  }
  if (filled < content.length) throw new ClientError('SOURCE_CHANGED')
  return content
}

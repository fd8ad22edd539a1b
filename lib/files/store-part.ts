import type { Bytes } from '../crypto/bytes.js'
import { createSealer } from '../crypto/container.js'
import type { FileRecords } from '../sessions/file-records.js'
import type { Sessions } from '../sessions/sessions.js'
import type { Transfer } from '../sessions/transfers.js'
import type { BlobKey, BlobStore } from './blob-store.js'
import type { Checksum } from './checksum.js'
import { copyPart } from './copy-part.js'
import type { TypePolicy } from './file-types.js'
import type { Files } from './files.js'
import type { Lane, MemoryBudget } from './memory-budget.js'
import { partLimit, Sections } from './roll-over.js'
import { sealPart } from './seal-part.js'
import type { FileReservation, Quota } from './storage-quota.js'
import { splitHead } from './streams.js'

/** What every way of uploading works with. */
export interface UploadDependencies {
  readonly sessions: Sessions
  readonly records: FileRecords
  readonly files: Files
  readonly blobs: BlobStore
  readonly quota: Quota
  readonly budget: MemoryBudget
  readonly types: TypePolicy
  /** What tells the blobs of this process apart where others write too; nothing otherwise. */
  readonly newFence: () => string | undefined
}

export interface PartRequest {
  readonly blobs: BlobStore
  readonly key: BlobKey
  /** `null`: what comes is sealed already. */
  readonly contentKey: Bytes | null
  readonly source: AsyncIterable<Uint8Array>
  readonly lane: Lane
  readonly reservation: FileReservation
  readonly checksums: readonly Checksum[]
  readonly transfer: Transfer
  readonly onReadable?: ((bytes: number) => void) | undefined
}

/** A part that has been stored and that no record knows yet. */
export interface StoredPart {
  /** Bytes: of the plaintext, or of what came sealed. */
  readonly size: number
  readonly fence: string | undefined
  /** Removes it and gives its room back. */
  readonly undo: () => Promise<void>
}

/** Stores a stream as a blob: sealed into a container of its own, under a salt of its own, unless it is sealed already. Leaves nothing behind if that fails. */
export async function storePart ({ blobs, key, contentKey, transfer, reservation, checksums, ...rest }: PartRequest): Promise<StoredPart> {
  const { signal, abort, count } = transfer
  const writer = await blobs.create(key)
  const undo = async (): Promise<void> => {
    reservation.cancel()
    await writer.abort()
  }
  try {
    signal.throwIfAborted()
    const size = contentKey === null
      ? await copyPart({ ...rest, abort, count, reservation, checksums, writer })
      : await sealPart({ ...rest, abort, count, reservation, checksums, writer, sealer: await createSealer({ contentKey, fileId: key.fileId, part: key.part, writer: 'S' }) })
    await writer.commit()
    reservation.settle()
    return { size, fence: key.fence, undo }
  } catch (error) {
    await undo()
    throw error
  }
}

/** A file whose parts are stored one behind the other. */
export interface FileRequest extends Omit<PartRequest, 'reservation'> {
  /** Of its first part. */
  readonly key: BlobKey
  /** @param before - bytes that the parts before have */
  readonly reserve: (before: number) => FileReservation
}

/** Stores a stream as a whole file: in one part, or as many as the store wants. Leaves nothing behind if that fails. */
export async function storeParts ({ key, reserve, source, onReadable, ...rest }: FileRequest): Promise<readonly StoredPart[]> {
  const sections = new Sections(source)
  const stored: StoredPart[] = []
  let size = 0
  try {
    for (let part = key.part; !sections.ended; part++) {
      const { head, source: section } = await splitHead(sections.next(partLimit(rest.blobs.maxOpenBytes, part)), 1)
      // Only an empty file has an empty part.
      if (head.length === 0 && stored.length > 0) break
      const before = size
      const added = await storePart({ ...rest, key: { ...key, part }, source: section, reservation: reserve(before), onReadable: (bytes) => { onReadable?.(before + bytes) } })
      stored.push(added)
      size += added.size
    }
    return stored
  } catch (error) {
    await undoAll(stored)
    throw error
  } finally {
    await sections.end()
  }
}

export async function undoAll (parts: readonly StoredPart[]): Promise<void> {
  await Promise.all(parts.map(({ undo }) => undo()))
}

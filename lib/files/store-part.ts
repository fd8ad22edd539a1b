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
import { sealPart } from './seal-part.js'
import type { FileReservation, Quota } from './storage-quota.js'

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

interface PartRequest {
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

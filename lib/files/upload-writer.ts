import { isLocalSendError, LocalSendError, type ErrorCode } from '../errors.js'
import { isUpload, offsetOf, withPart } from '../sessions/session-files.js'
import { contentKeyOf, type OpenUpload, type SessionRecord, type StoredFile } from '../sessions/session.js'
import type { Transfer } from '../sessions/transfers.js'
import { fencedKey } from './blob-store.js'
import { Checksum, type ChecksumAlgorithm } from './checksum.js'
import { contentCheck, type ContentCheck } from './content-check.js'
import { SNIFFED_BYTES } from './file-types.js'
import type { Lane } from './memory-budget.js'
import { readParts, type FileSource } from './read-file.js'
import { partLimit, Sections, UNLIMITED } from './roll-over.js'
import { storePart, type StoredPart, type UploadDependencies } from './store-part.js'
import { interruptible, limited, splitHead } from './streams.js'
import type { UploadActivity } from './upload-activity.js'

/** Parts of one file at most: the record, which is written with each, names them all. */
const MAX_PARTS = 10_000

/** What breaks a piece off and leaves what had arrived of it good. */
const KEEPING: readonly ErrorCode[] = ['UPLOAD_INCOMPLETE', 'UPLOAD_STALLED', 'UPLOAD_LOCKED', 'SERVER_BUSY', 'SERVER_STOPPING']

/** What makes an upload worth nothing: all of it is removed. */
const GIVEN_UP: readonly ErrorCode[] = ['CHECKSUM_MISMATCH', 'FILE_TYPE_NOT_ALLOWED', 'CONTAINER_REFUSED']

/** Bytes that go on with an upload. */
export interface Piece {
  /** Where they begin in the file. */
  readonly offset: number
  /** Bytes that will come; `undefined` where nobody knows. */
  readonly size: number | undefined
  /** The length of the file, where its sender learns it only now. */
  readonly length: number | undefined
  /** What the digest of the piece must be, lowercase hex; otherwise all of it is thrown away. */
  readonly checksum: { readonly algorithm: ChecksumAlgorithm, readonly digest: string } | undefined
  readonly content: AsyncIterable<Uint8Array>
  /** Fires when the client has gone, or sends too little. */
  readonly client: AbortSignal
}

/** How far an upload has come. */
export interface Progress {
  readonly offset: number
  readonly entry: StoredFile | OpenUpload
}

export interface UploadWriterDependencies extends UploadDependencies {
  /** Whether other processes write, too. */
  readonly isShared: boolean
  readonly activity: UploadActivity
}

/** Writes the pieces of uploads that can be resumed. Whoever calls it has the upload's turn. */
export class UploadWriter {
  readonly #use: UploadWriterDependencies

  constructor (dependencies: UploadWriterDependencies) {
    this.#use = dependencies
  }

  /**
   * Adds one piece as a part of its own, and makes the upload a file if it was the last. A long one becomes several parts where the
   * store wants that, each of them kept whatever comes of the next.
   */
  async write (session: SessionRecord, upload: OpenUpload, piece: Piece, { transfer, lane, onPiece }: Writing): Promise<Progress> {
    const rest = upload.length === null ? Number.POSITIVE_INFINITY : upload.length - piece.offset
    if ((piece.size ?? 0) > rest) throw new LocalSendError('UPLOAD_TOO_LONG')
    const { stream, interruption } = interruptible(limited(piece.content, rest, onPiece), AbortSignal.any([transfer.signal, piece.client]))
    const sections = new Sections(stream, piece.size ?? rest)
    let entry: StoredFile | OpenUpload = upload
    try {
      do {
        // With a checksum it is kept whole or not at all.
        const limit = piece.checksum === undefined ? partLimit(this.#use.blobs.maxOpenBytes, entry.parts.length) : UNLIMITED
        entry = await this.#writePart(session, entry, { stream: sections.next(limit), interruption, piece, transfer, lane })
      } while (isUpload(entry) && !sections.ended)
      return { entry, offset: offsetOf(entry) }
    } finally {
      await sections.end()
    }
  }

  async #writePart (session: SessionRecord, upload: OpenUpload, section: Section): Promise<StoredFile | OpenUpload> {
    const { activity } = this.#use
    const { piece, interruption, lane } = section
    if (upload.parts.length >= MAX_PARTS) throw new LocalSendError('UPLOAD_TOO_FRAGMENTED')
    const checksum = session.kind === 'managed' ? await this.#digest(session, upload, lane) : undefined
    const pieceChecksum = piece.checksum && new Checksum(piece.checksum.algorithm)
    let outcome: 'kept' | 'discarded' = 'discarded'
    try {
      const part = await this.#store(session, upload, section, [checksum, pieceChecksum].filter((used) => used !== undefined))
      const broken = interruption()
      const refusal = whyNotKept(broken, piece, pieceChecksum)
      if (refusal !== undefined) {
        await part?.undo()
        throw refusal
      }
      const entry = await this.#commit(session, upload, part, checksum, lane)
      outcome = 'kept'
      if (broken !== undefined) throw broken
      return entry
    } finally {
      activity.close(upload.id, outcome)
    }
  }

  /** @returns `undefined` where nothing came: only an empty file has an empty part */
  async #store (session: SessionRecord, upload: OpenUpload, { stream, piece, transfer, lane }: Section, checksums: readonly Checksum[]): Promise<StoredPart | undefined> {
    const { blobs, quota, records, activity, newFence } = this.#use
    const offset = offsetOf(upload)
    const { head, source } = await splitHead(stream, offset === 0 ? SNIFFED_BYTES : 1)
    if (head.length === 0 && upload.length !== 0) return undefined
    if (offset === 0 && head.length >= SNIFFED_BYTES) await this.#refusing(session, upload, () => this.#check(session, upload).begin(head))
    const part = upload.parts.length
    const guardedPart = piece.checksum === undefined ? null : part
    if (guardedPart !== upload.guardedPart) await records.guard(session.id, upload.id, guardedPart, upload)
    const fence = newFence()
    return await storePart({
      blobs,
      key: fencedKey({ sessionId: session.id, fileId: upload.id, part }, fence),
      contentKey: contentKeyOf(session),
      reservation: quota.file(session, offset),
      transfer,
      // What may still prove damaged is not for others to read, nor what the store cannot read yet.
      onReadable: piece.checksum === undefined && blobs.maxOpenBytes === Number.POSITIVE_INFINITY
        ? (bytes) => {
            activity.advance(upload.id, { part, bytes, fence })
            this.#tell(session, upload, offset + bytes)
          }
        : undefined,
      checksums,
      source,
      lane
    })
  }

  async #commit (session: SessionRecord, upload: OpenUpload, part: StoredPart | undefined, checksum: Checksum | undefined, lane: Lane): Promise<StoredFile | OpenUpload> {
    const { records, activity } = this.#use
    const grown = part === undefined ? upload : { ...upload, ...withPart(upload, part.size, part) }
    const offset = offsetOf(grown)
    if (checksum !== undefined) activity.keepDigest(upload.id, { offset, checksum })
    try {
      if (offset === upload.length) return await this.finish(session, upload, lane, part)
      if (part !== undefined) await records.append(session.id, upload.id, part.size, { turn: upload.turn, fence: part.fence })
      this.#tell(session, upload, offset)
      return grown
    } catch (error) {
      activity.forgetDigest(upload.id)
      // They are gone with the upload; or, where others have the records too, nobody knows whether this one has them.
      const leaving: readonly ErrorCode[] = this.#use.isShared ? [...GIVEN_UP, 'STORE_UNAVAILABLE'] : GIVEN_UP
      if (!leaving.some((code) => isLocalSendError(error, code))) await part?.undo()
      throw error
    }
  }

  #tell (session: SessionRecord, { id, length: size }: OpenUpload, offset: number): void {
    this.#use.sessions.events.fileProgress(session.id, { id, offset, size })
  }

  /**
   * Makes an upload of which every byte is stored a file.
   * @param last - its last part, where the record does not have that one yet
   * @throws LocalSendError CHECKSUM_MISMATCH, FILE_TYPE_NOT_ALLOWED, CONTAINER_REFUSED: then nothing of it is kept
   */
  async finish (session: SessionRecord, upload: OpenUpload, lane: Lane, last?: StoredPart): Promise<StoredFile> {
    const whole = last === undefined ? upload : { ...upload, ...withPart(upload, last.size, last) }
    const { sha256, contentType } = await this.#refusing(session, whole, async () => ({
      sha256: session.kind === 'managed' ? await this.#rightDigest(session, whole, lane) : null,
      contentType: await this.#check(session, whole).end(await this.#head(session, whole, lane), offsetOf(whole))
    }))
    const file = await this.#use.records.complete(session.id, upload.id, { lastPart: last?.size ?? null, contentType, sha256 }, { turn: upload.turn, fence: last?.fence })
    this.#use.activity.end(upload.id)
    return file
  }

  #check (session: SessionRecord, upload: OpenUpload): ContentCheck {
    return contentCheck(session, upload, upload.declaredType, this.#use.types)
  }

  async #rightDigest (session: SessionRecord, upload: OpenUpload, lane: Lane): Promise<string> {
    const sha256 = (await this.#digest(session, upload, lane)).digest()
    if (upload.expectedSha256 !== null && upload.expectedSha256 !== sha256) throw new LocalSendError('CHECKSUM_MISMATCH')
    return sha256
  }

  /** Checks an upload, and removes all of it where it is refused. */
  async #refusing <Result> (session: SessionRecord, upload: OpenUpload, check: () => Promise<Result>): Promise<Result> {
    try {
      return await check()
    } catch (error) {
      if (GIVEN_UP.some((code) => isLocalSendError(error, code))) {
        await this.#use.records.remove(session.id, upload.id)
        await this.#use.files.discard(session.id, [upload])
      }
      throw error
    }
  }

  async #head (session: SessionRecord, upload: OpenUpload, lane: Lane): Promise<Uint8Array> {
    const end = Math.min(SNIFFED_BYTES, offsetOf(upload))
    const head = new Uint8Array(end)
    let filled = 0
    for await (const bytes of readParts(this.#source(session, upload, lane), upload.parts, { start: 0, end })) {
      head.set(bytes, filled)
      filled += bytes.length
    }
    return head
  }

  /** The digest of all that is stored; read again only where this process has not seen it. */
  async #digest (session: SessionRecord, upload: OpenUpload, lane: Lane): Promise<Checksum> {
    const offset = offsetOf(upload)
    const known = this.#use.activity.digestUpTo(upload.id, offset)
    if (known !== undefined) return known
    const checksum = new Checksum()
    if (offset === 0) return checksum
    for await (const bytes of readParts(this.#source(session, upload, lane), upload.parts, { start: 0, end: offset })) checksum.update(bytes)
    return checksum
  }

  #source (session: SessionRecord, { id: fileId, fences }: OpenUpload, lane: Lane): FileSource {
    return { blobs: this.#use.blobs, sessionId: session.id, fileId, fences, contentKey: contentKeyOf(session), lane }
  }
}

interface Writing {
  readonly transfer: Transfer
  readonly lane: Lane
  /** Called whenever something has come. */
  readonly onPiece: () => void
}

/** What of a piece becomes one part. */
interface Section {
  readonly stream: AsyncIterable<Uint8Array>
  /** What broke the piece; to be asked when the stream has ended. */
  readonly interruption: () => Error | undefined
  readonly piece: Piece
  readonly transfer: Transfer
  readonly lane: Lane
}

/** Why nothing of a piece may stay; `undefined` where it may. A piece with a checksum is kept whole or not at all. */
function whyNotKept (broken: Error | undefined, { checksum }: Piece, actual: Checksum | undefined): Error | undefined {
  if (broken !== undefined && (checksum !== undefined || !KEEPING.some((code) => isLocalSendError(broken, code)))) return broken
  return checksum !== undefined && actual?.digest() !== checksum.digest ? new LocalSendError('PIECE_CHECKSUM_MISMATCH') : undefined
}

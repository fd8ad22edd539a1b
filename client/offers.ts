/**
 * What the others offer: the list of a session's files with their descriptions opened (protocol local-send/1, section 5).
 *
 * Invariant: what comes out of here was described by somebody whom the reader accepts: a creator accepts what joiners have written;
 * a joiner what the creator has, and other joiners only if he says so; nobody an id that he has written himself. What is not so is
 * reported, not passed over.
 */

import { containerSize, type Writer } from '../lib/crypto/container.js'
import { openMetadata } from '../lib/crypto/metadata.js'
import { inFlight } from '../lib/crypto/streams.js'
import type { FileId } from '../lib/ids.js'
import type { ListedFile } from './answers.js'
import { ClientError } from './errors.js'
import type { Connection, Options } from './http.js'
import { allFiles } from './list.js'
import { apiOf, type Member, type Role } from './session.js'

/** A file that can be received. Everything that its sender says of it is hostile: a name is not a path. */
export interface OfferedFile {
  readonly fileId: FileId
  /** A relative path with `/`, if its sender is honest. */
  readonly name: string
  /** Bytes of plaintext; `null` if nobody knows. */
  readonly size: number | null
  /** A media type, or empty. */
  readonly type: string
  /** RFC 3339, UTC. Of a managed session: when it was uploaded. */
  readonly modified: string
  readonly kind?: 'text' | 'directory'
  /** Permission bits; honour only the owner's execute bit. */
  readonly mode?: number
  /** Where its sender himself hands it out while he sends it; see {@link ReceiveOptions.direct}. */
  readonly direct?: readonly string[]
  /** Who wrote it; `S` in managed sessions, where the server encrypts. */
  readonly writer: Writer
  /** As the server says. */
  readonly uploadedBy: Role
  /** Whether all of it has come; otherwise it can be received while it comes. */
  readonly state: 'uploading' | 'ready'
  /** Bytes at the server: of the container, or of the file in managed sessions; `null` while nobody knows. */
  readonly stored: number | null
  /** Managed sessions only; lowercase hex. */
  readonly sha256?: string
}

/** Something in the list that cannot be what an accepted sender has written. */
export interface DamagedOffer {
  readonly fileId: FileId
  readonly error: ClientError
}

export type Offer = OfferedFile | DamagedOffer

/** What {@link listFiles} takes. */
export interface ListOptions extends Options {
  /** Whether a joiner accepts what other joiners have written; a creator accepts joiners in any case. */
  readonly acceptJoiners?: boolean | undefined
  /** The ids that this member has written himself; needed by a joiner who accepts joiners. */
  readonly own?: ReadonlySet<FileId> | undefined
}

/** Chunk sizes that a container may have, as logarithms (section 5). */
const CHUNK_LOG2S = [0x10, 0x11, 0x12, 0x13, 0x14]

/**
 * The files that others offer, as they are listed now.
 *
 * @throws ClientError for what concerns the whole list; what is wrong with one file is told in its place
 */
export async function * listFiles (connection: Connection, member: Member, options: ListOptions = {}): AsyncGenerator<Offer, void, undefined> {
  const listed = allFiles(apiOf(connection, member), options.signal)
  for await (const offer of inFlight(listed, (file) => openOffer(member, file, options))) {
    if (offer !== undefined) yield offer
  }
}

/**
 * What a listed file is to this member.
 *
 * @returns `undefined` for what he is not offered: his own, and that of others whom he does not accept
 */
export async function openOffer (member: Member, file: ListedFile, { acceptJoiners = false, own = new Set() }: ListOptions = {}): Promise<Offer | undefined> {
  const { role, contentKey } = member
  if (file.uploadedBy === role && !(role === 'joiner' && acceptJoiners)) return undefined
  if (own.has(file.fileId)) return file.uploadedBy === role ? undefined : { fileId: file.fileId, error: damaged('It is one of your own.') }
  if (contentKey === undefined) return managedOffer(file)
  const writers: readonly Writer[] = role === 'creator' ? ['A'] : acceptJoiners ? ['B', 'A'] : ['B']
  const { fileId, metadata: sealed } = file
  if (sealed === undefined) return { fileId, error: damaged('It has no description.') }
  try {
    const { metadata, writer } = await openMetadata(sealed, { contentKey, fileId, writers })
    if (!fits(metadata.size, file)) return { fileId, error: damaged('Its size is not the one that its sender says.') }
    const { uploadedBy, state, size: stored } = file
    return { fileId, ...metadata, writer, uploadedBy, state, stored }
  } catch (cause) {
    return { fileId, error: damaged('Its description does not open.', cause) }
  }
}

const damaged = (detail: string, cause?: unknown): ClientError => new ClientError('FILE_DAMAGED', { detail, cause })

/** Whether a container may have the size that the server says, if the sender says the truth. */
const fits = (plaintext: number | null, { size }: ListedFile): boolean =>
  plaintext === null || size === null || CHUNK_LOG2S.some((chunkLog2) => containerSize(plaintext, chunkLog2) === size)

const managedOffer = ({ fileId, filename, contentType = '', size, sha256, uploadedBy, uploadedAt, state }: ListedFile): Offer => filename === undefined
  ? { fileId, error: damaged('It has no name.') }
  : { fileId, name: filename, size, type: contentType, modified: uploadedAt, writer: 'S', uploadedBy, state, stored: size, ...(sha256 !== undefined && { sha256 }) }

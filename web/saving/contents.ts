/** The verified content of files, small ones by the hundred and large ones as they come. */

import type { Bytes } from '../../lib/crypto/bytes.js'
import type { ClientError } from '../../client/errors.js'
import type { OfferedFile } from '../../client/offers.js'
import { isSmallOffer, receiveMany } from '../../client/receive-many.js'
import { receiveFile, type ReceiveOptions } from '../../client/receive.js'
import type { Connection, Member } from '../../client/session.js'

/** A file and its content. */
export interface Incoming {
  readonly file: OfferedFile
  /** Its bytes, to be asked for once. What goes wrong while they come is thrown by them; what is small comes as a whole, wherever it is to begin. */
  readonly read: (start?: Start) => AsyncIterable<Bytes>
}

/** Where to begin, of a large file that was begun before. */
export type Start = Pick<ReceiveOptions, 'from' | 'header' | 'onStart'>

/** A file that did not come, while others do. */
export interface Failed {
  readonly file: OfferedFile
  readonly error: ClientError
}

/** All of them, each to be read to its end, or left, before the next one is asked for. */
export async function * contentsOf (connection: Connection, member: Member, files: readonly OfferedFile[], signal: AbortSignal): AsyncGenerator<Incoming | Failed, void, undefined> {
  const withContent = files.filter(({ kind }) => kind !== 'directory')
  for await (const one of receiveMany(connection, member, withContent.filter(isSmallOffer), { signal })) {
    yield 'error' in one ? one : { file: one.file, read: () => once(one.content) }
  }
  for (const file of withContent.filter((file) => !isSmallOffer(file))) {
    yield { file, read: (start) => owned(receiveFile(connection, member, file, { ...start, signal })) }
  }
}

async function * once (bytes: Bytes): AsyncGenerator<Bytes, void, undefined> {
  yield await Promise.resolve(bytes)
}

/** Bytes with a buffer that is not shared. */
async function * owned (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes, void, undefined> {
  for await (const piece of pieces) yield piece.buffer instanceof ArrayBuffer ? new Uint8Array(piece.buffer, piece.byteOffset, piece.length) : new Uint8Array(piece)
}

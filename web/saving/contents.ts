/** The verified content of files, small ones by the hundred and large ones as they come. */

import type { Bytes } from '../../lib/crypto/bytes.js'
import type { ClientError } from '../../client/errors.js'
import type { OfferedFile } from '../../client/offers.js'
import { isSmallOffer, receiveMany } from '../../client/receive-many.js'
import { receiveFile } from '../../client/receive.js'
import type { Connection, Member } from '../../client/session.js'

/** A file and its content. What goes wrong while it comes is thrown by the content. */
export interface Incoming {
  readonly file: OfferedFile
  readonly content: AsyncIterable<Bytes>
}

/** A file that did not come, while others do. */
export interface Failed {
  readonly file: OfferedFile
  readonly error: ClientError
}

/** All of them, each to be read to its end, or left, before the next one is asked for. */
export async function * contentsOf (connection: Connection, member: Member, files: readonly OfferedFile[], signal: AbortSignal): AsyncGenerator<Incoming | Failed, void, undefined> {
  const withContent = files.filter(({ kind }) => kind !== 'directory')
  for await (const one of receiveMany(connection, member, withContent.filter(isSmallOffer), { signal })) {
    yield 'error' in one ? one : { file: one.file, content: once(one.content) }
  }
  for (const file of withContent.filter((file) => !isSmallOffer(file))) {
    yield { file, content: owned(receiveFile(connection, member, file, { signal })) }
  }
}

async function * once (bytes: Bytes): AsyncGenerator<Bytes, void, undefined> {
  yield await Promise.resolve(bytes)
}

/** Bytes with a buffer that is not shared. */
async function * owned (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Bytes, void, undefined> {
  for await (const piece of pieces) yield piece.buffer instanceof ArrayBuffer ? new Uint8Array(piece.buffer, piece.byteOffset, piece.length) : new Uint8Array(piece)
}

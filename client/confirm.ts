/** Telling a sender what has been received, where some of it may have been taken back meanwhile. */

import type { FileId } from '../lib/ids.js'
import { isClientError } from './errors.js'
import type { Connection, Options } from './http.js'
import { confirmReceived } from './receive.js'
import type { Member } from './session.js'

/** As {@link confirmReceived}, for those of the files that are still there. */
export async function confirmThoseThere (connection: Connection, member: Member, ids: readonly FileId[], options: Options): Promise<void> {
  if (ids.length === 0) return
  try {
    await confirmReceived(connection, member, ids, options)
  } catch (error) {
    if (!isClientError(error, 'FILE_NOT_FOUND')) throw error
    if (ids.length > 1) for (const id of ids) await confirmThoseThere(connection, member, [id], options)
  }
}

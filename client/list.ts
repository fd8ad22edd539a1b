/** The list of a session's files, page by page. */

import type { Api } from './api.js'
import type { ListedFile } from './answers.js'
import { patiently } from './retry.js'

/** Pages that a list has at most: more files than any session may have. */
const MAX_PAGES = 10_000

/** All files of a session, as the server lists them. */
export async function * allFiles (api: Api, signal: AbortSignal | undefined): AsyncGenerator<ListedFile, void, undefined> {
  let cursor: string | undefined
  for (let page = 0; page < MAX_PAGES; page++) {
    const { files, nextCursor } = await patiently(() => api.files({ cursor, signal }), signal)
    yield * files
    if (nextCursor === null) return
    cursor = nextCursor
  }
}

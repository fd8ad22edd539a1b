/** The page's address: the server it speaks to, and the code that a link holds. */

import type { Connection, Fetch } from '../client/session.js'

/** Bytes go as a Blob: Chromium takes several times as long for an array, and keeps the page from everything else meanwhile. */
const fetchBlobs: Fetch = (url, init) => fetch(url, init.body instanceof Uint8Array ? { ...init, body: new Blob([init.body]) } : init)

/** The server that this page is from. */
export const connection: Connection = { fetch: fetchBlobs, server: new URL('.', location.href.split('#')[0]).href.replace(/\/+$/, '') }

/**
 * Takes the code out of the address, where the history, and whoever looks at the screen, would keep it.
 *
 * @returns `undefined` if there is none
 */
export function takeFragment (): string | undefined {
  const fragment = location.hash.slice(1)
  if (fragment === '') return undefined
  history.replaceState(history.state, '', location.pathname + location.search)
  try {
    return decodeURIComponent(fragment)
  } catch {
    return fragment
  }
}

/**
 * What a page that is loaded again knows of what it was doing. It is one word in the tab's history: no secret, in no storage,
 * there with cookies off, and gone with the tab.
 *
 * A reload ends a transfer. Keys and files are in the page's memory alone, and are to stay there; the browser would have to
 * keep them, or their user to type and choose everything again.
 */

/** What a reload has ended. */
export type Interruption = 'sending' | 'receiving'

/** Notes what would be lost by a reload. */
export function noteUnderWay (underWay: Interruption | undefined): void {
  history.replaceState(underWay === undefined ? null : { underWay }, '')
}

/** What the page was doing when it was loaded again. */
export function readInterruption (): Interruption | undefined {
  const state: unknown = history.state
  if (typeof state !== 'object' || state === null || !('underWay' in state)) return undefined
  return state.underWay === 'sending' || state.underWay === 'receiving' ? state.underWay : undefined
}

/**
 * What a page that is loaded again knows of what it was doing. It is one word in the tab's history: no secret, in no storage,
 * there with cookies off, and gone with the tab.
 *
 * What a page keeps (kept/), another one goes on with. A reload ends the rest: what could not be kept, and receiving while nothing
 * comes.
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

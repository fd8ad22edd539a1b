/** Locks that end with their tab, whatever ends it (https://w3c.github.io/web-locks). */

/** Milliseconds in which a tab that goes away gives its locks up: where a page is loaded again, the new one may come before the old one has ended. */
const PARTING = 500

/**
 * Takes a lock for as long as the tab lives.
 *
 * @returns what gives it up; `undefined` if another tab has it
 */
export function takeLock (name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    void unlessHeld(name, 'exclusive', () => new Promise<void>((_resolve) => { resolve(_resolve) })).then(() => { resolve(undefined) })
  })
}

/** Whether no tab has it. */
export const isFree = (name: string): Promise<boolean> => unlessHeld(name, 'shared', () => undefined)

/** @returns whether it was done, by now: not if another tab has the lock, and does not go away */
async function unlessHeld (name: string, mode: LockMode, work: () => Promise<void> | undefined): Promise<boolean> {
  try {
    await navigator.locks.request(name, { mode, signal: AbortSignal.timeout(PARTING) }, work)
    return true
  } catch {
    return false
  }
}

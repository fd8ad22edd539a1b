/** Locks that end with their tab, whatever ends it (https://w3c.github.io/web-locks). */

/** Milliseconds in which a tab that goes away gives its locks up: where a page is loaded again, the new one may come before the old one has ended. */
const PARTING = 1000
/** Milliseconds in which others have done looking whether a lock is free. */
const LOOKING = 5000

/**
 * Takes a lock for as long as the tab lives.
 *
 * @returns what gives it up; `undefined` if another tab has it
 */
export function takeLock (name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve) => {
    const holding = unlessHeld(name, { mode: 'exclusive', signal: AbortSignal.timeout(LOOKING) }, () => new Promise<void>((_resolve) => { resolve(_resolve) }))
    void holding.then(() => { resolve(undefined) })
  })
}

/** Holds a lock until the signal fires, if no other tab has it. */
export async function holdLock (name: string, signal: AbortSignal): Promise<void> {
  const release = await takeLock(name)
  if (signal.aborted) release?.()
  else signal.addEventListener('abort', () => release?.())
}

/** Whether no tab has it. */
export const isFree = (name: string): Promise<boolean> => unlessHeld(name, { mode: 'shared', signal: AbortSignal.timeout(PARTING) }, () => undefined)

/** @returns whether it was done: not if another tab has the lock until the signal fires */
async function unlessHeld (name: string, options: LockOptions, work: () => Promise<void> | undefined): Promise<boolean> {
  try {
    await navigator.locks.request(name, options, work)
    return true
  } catch {
    return false
  }
}

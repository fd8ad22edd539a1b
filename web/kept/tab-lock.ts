/** Locks that end with their tab, whatever ends it (https://w3c.github.io/web-locks). */

/**
 * Takes a lock for as long as the tab lives.
 *
 * @returns what gives it up; `undefined` if another tab has it
 */
export function takeLock (name: string): Promise<(() => void) | undefined> {
  return new Promise((resolve, reject) => {
    navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
      if (lock === null) resolve(undefined)
      else await new Promise<void>((_resolve) => { resolve(_resolve) })
    }).catch(reject)
  })
}

/** Whether no tab has it. */
export async function isFree (name: string): Promise<boolean> {
  return await navigator.locks.request(name, { ifAvailable: true }, (lock) => lock !== null)
}

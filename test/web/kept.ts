/** What a browser keeps for transfers that are interrupted. */

import type { Person } from './page.js'

export interface Kept {
  /** Of the page's database. */
  readonly records: number
  /** Of all that is sealed in them. */
  readonly bytes: number
  /** Names of those in the private file system. */
  readonly files: readonly string[]
}

export async function kept (person: Pick<Person, 'page'>): Promise<Kept> {
  const records = await recordsIn(person)
  const bytes = records.reduce((sum, { sealed }) => sum + String(sealed).length, 0)
  return { records: records.length, bytes, files: await person.page.evaluate(storedFiles) }
}

/** All records of all stores that the page's database has. Bytes are taken for letters. */
export const recordsIn = async ({ page }: Pick<Person, 'page'>): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> => await page.evaluate(storedRecords)

/** To be run in a page. */
async function storedRecords (): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> {
  const records = await new Promise<object[]>((resolve, reject) => {
    const opening = indexedDB.open('local-send')
    opening.onerror = () => { reject(new Error('there is no database')) }
    opening.onsuccess = () => {
      const stores = [...opening.result.objectStoreNames]
      const transaction = opening.result.transaction(stores)
      const readings = stores.map((store) => transaction.objectStore(store).getAll())
      transaction.oncomplete = () => {
        opening.result.close()
        resolve(readings.flatMap(({ result }) => result as object[]))
      }
    }
  })
  return records.map((record) => Object.fromEntries(Object.entries(record).map(([key, value]: [string, unknown]) =>
    [key, value instanceof Uint8Array ? Array.from(value, (byte) => String.fromCharCode(byte)).join('') : value])))
}

/** To be run in a page: the files of the private file system, in whichever folder. */
export async function storedFiles (): Promise<string[]> {
  const names: string[] = []
  for await (const folder of (await navigator.storage.getDirectory()).values()) {
    if (folder.kind === 'directory') for await (const name of (folder as FileSystemDirectoryHandle).keys()) names.push(name)
  }
  return names
}

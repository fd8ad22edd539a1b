/** What the browser keeps for interrupted transfers: sessions, bytes of their sealed states, and files. To be run in a page. */
export async function kept (): Promise<{ readonly sessions: number, readonly bytes: number, readonly segments: number }> {
  const database = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open('local-send')
    request.onsuccess = () => { resolve(request.result) }
    request.onerror = () => { reject(request.error ?? new Error('no database')) }
  })
  const records = await new Promise<ReadonlyArray<{ readonly sealed: Uint8Array }>>((resolve) => {
    const request = database.transaction('sessions').objectStore('sessions').getAll()
    request.onsuccess = () => { resolve(request.result as ReadonlyArray<{ readonly sealed: Uint8Array }>) }
  })
  database.close()
  let segments = 0
  for await (const folder of (await navigator.storage.getDirectory()).values()) {
    const names = (folder as FileSystemDirectoryHandle).keys()
    while ((await names.next()).done !== true) segments += 1
  }
  return { sessions: records.length, bytes: records.reduce((sum, { sealed }) => sum + sealed.length, 0), segments }
}

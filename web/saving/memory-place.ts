/** Files in memory, where there is no file system: browsers put large Blobs on the disk by themselves, or run out of memory. */

import type { Place } from './place.js'

export const memoryPlace: Place = {
  create () {
    let blob = new Blob([])
    const forget = (): Promise<void> => {
      blob = new Blob([])
      return Promise.resolve()
    }
    return Promise.resolve({
      write (bytes) {
        // A Blob of Blobs copies nothing.
        blob = new Blob([blob, bytes])
        return Promise.resolve()
      },
      finish: () => Promise.resolve(blob),
      suspend: forget,
      discard: forget
    })
  },
  makeFolder: () => Promise.resolve()
}

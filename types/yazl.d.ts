/** The part of yazl 3.3 that this project uses. It stands here in place of @types/yazl, where nobody is told the size. */
declare module 'yazl' {
  import type { EventEmitter } from 'node:events'
  import type { Readable } from 'node:stream'

  interface EntryOptions {
    readonly size: number
    readonly mtime: Date
    readonly compress: boolean
  }

  export class ZipFile extends EventEmitter {
    readonly outputStream: Readable
    /** `open` is called when the entry's turn has come. */
    addReadStreamLazy (name: string, options: EntryOptions, open: (callback: (error: null, stream: Readable) => void) => void): void
    /** `known` is called before this returns, if the size of every entry is known. */
    end (options: { readonly forceZip64Format: boolean }, known: (size: number) => void): void
  }
}

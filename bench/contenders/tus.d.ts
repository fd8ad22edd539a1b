/** The little that is used of tus's packages. They are installed for the benchmarks alone, and types are checked without them. */

declare module '@tus/file-store' {
  export class FileStore {
    readonly directory: string
    constructor (options: { directory: string })
  }
}

declare module '@tus/server' {
  import type { Server as HttpServer } from 'node:http'
  import type { FileStore } from '@tus/file-store'

  export class Server {
    constructor (options: { path: string, datastore: FileStore })
    listen (port: number, host: string, onListening: () => void): HttpServer
  }
}

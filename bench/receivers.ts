import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadedSha256 } from './client.js'
import { startLocalSend, type LocalSend, type Stored } from './local-send.js'
import type { Server } from './process.js'
import type { Contender } from './rounds.js'
import { sha256Of } from './test-file.js'

/** A file that a server has taken and now has in a folder, as it came. */
export interface Received {
  readonly seconds: number
  /** Its name there. */
  readonly name: string
}

/**
 * Our own server, to which a file is sent.
 * @param workingFolder - is made
 */
export async function localSendReceiver (workingFolder: string, send: (service: LocalSend) => Promise<Stored>): Promise<Contender> {
  await mkdir(workingFolder)
  const service = await startLocalSend(workingFolder)
  let fileId = ''
  const transfer = async (): Promise<number> => {
    const stored = await send(service)
    fileId = stored.fileId
    return stored.seconds
  }
  return {
    name: 'Local Send',
    server: service.server,
    transfer,
    reset: () => service.delete(fileId),
    async digest () {
      await transfer()
      return await downloadedSha256(service.downloadTarget(fileId))
    }
  }
}

/**
 * Another server, to which a file is sent.
 * @param folder - where the server puts what it takes; nothing else lies there
 */
export function folderReceiver (name: string, server: Server, folder: string, send: () => Promise<Received>): Contender {
  return {
    name,
    server,
    transfer: async () => (await send()).seconds,
    async reset () {
      for (const entry of await readdir(folder)) await rm(join(folder, entry))
    },
    async digest () {
      const received = await send()
      return await sha256Of(join(folder, received.name))
    }
  }
}

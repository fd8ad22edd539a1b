import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { tusUpload } from './client.js'
import { compare } from './comparison.js'
import { startContender } from './process.js'
import { folderReceiver, localSendReceiver } from './receivers.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import type { TestFile } from './test-file.js'

const TUS_SERVER = '@tus/server'
const MARK = { against: TUS_SERVER, least: 0.90 }

/** Our tus upload, SHA-256 and AES-256-GCM included, beside tus's own server with its store of plain files. */
export async function benchTus ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const contenders = [
    await localSendReceiver(join(folder, 'tus'), (service) => service.tusUpload(file)),
    await tusServer(join(folder, 'tus-server'), file)
  ]
  const results = await runRounds('tus', contenders, file, runs)
  for (const { server } of contenders) await server.stop()
  return compare('Upload by tus', file, results, MARK)
}

async function tusServer (workingFolder: string, file: TestFile): Promise<Contender> {
  await mkdir(workingFolder)
  const server = await startContender('tus-server', { FOLDER: workingFolder })
  return folderReceiver(TUS_SERVER, server, workingFolder, async () => {
    const { seconds, url } = await tusUpload({ url: `${server.origin}/files` }, file)
    return { seconds, name: basename(new URL(url).pathname) }
  })
}

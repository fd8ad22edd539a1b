import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { put } from './client.js'
import { compare } from './comparison.js'
import { hasNginx, NGINX, startNginx } from './nginx.js'
import { startContender, type Server } from './process.js'
import { folderReceiver, localSendReceiver } from './receivers.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import type { TestFile } from './test-file.js'

const PIPE = 'pipe to a file'
const MARK = { against: PIPE, least: 0.70 }

/** Our PUT, SHA-256 and AES-256-GCM included, beside the shortest thing to write in Node and beside nginx. */
export async function benchRaw ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const withNginx = await hasNginx()
  const contenders = [
    await localSendReceiver(join(folder, 'raw'), (service) => service.put(file)),
    await pipe(join(folder, 'pipe'), file),
    ...withNginx ? [await nginx(join(folder, 'nginx'), file)] : []
  ]
  const results = await runRounds('raw', contenders, file, runs)
  for (const { server } of contenders) await server.stop()
  const report = compare('Raw upload', file, results, MARK)
  return withNginx ? report : { ...report, notes: [...report.notes, `**Without nginx, which this machine does not have at ${NGINX}.**`] }
}

async function pipe (workingFolder: string, file: TestFile): Promise<Contender> {
  await mkdir(workingFolder)
  return receiver(PIPE, await startContender('pipe', { FOLDER: workingFolder }), workingFolder, file)
}

async function nginx (workingFolder: string, file: TestFile): Promise<Contender> {
  const root = join(workingFolder, 'root')
  await mkdir(root, { recursive: true })
  return receiver('nginx, WebDAV', await startNginx(workingFolder, root), root, file)
}

const receiver = (name: string, server: Server, folder: string, file: TestFile): Contender =>
  folderReceiver(name, server, folder, async () => {
    const { seconds } = await put({ url: `${server.origin}/upload.bin` }, file)
    return { seconds, name: 'upload.bin' }
  })

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { upload } from './client.js'
import { compare } from './comparison.js'
import { startContender } from './process.js'
import { folderReceiver, localSendReceiver } from './receivers.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import type { TestFile } from './test-file.js'

const PLAIN = 'multipart to a file'
const MARK = { against: PLAIN, least: 0.70 }

/** Our multipart upload, SHA-256 and AES-256-GCM included, beside the plain recipe. */
export async function benchUpload ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const contenders = [
    await localSendReceiver(join(folder, 'upload'), (service) => service.upload(file)),
    await plain(join(folder, 'plain-upload'), file)
  ]
  const results = await runRounds('upload', contenders, file, runs)
  for (const { server } of contenders) await server.stop()
  return compare('Upload', file, results, MARK)
}

async function plain (workingFolder: string, file: TestFile): Promise<Contender> {
  await mkdir(workingFolder)
  const server = await startContender('plain-upload', { FOLDER: workingFolder })
  return folderReceiver(PLAIN, server, workingFolder, async () => {
    const { seconds } = await upload({ url: `${server.origin}/upload` }, file)
    return { seconds, name: 'upload.bin' }
  })
}

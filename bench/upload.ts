import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadedSha256, upload } from './client.js'
import { compare } from './comparison.js'
import { startLocalSend } from './local-send.js'
import { startContender } from './process.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import { sha256Of, type TestFile } from './test-file.js'

const PLAIN = 'multipart to a file'
const MARK = { against: PLAIN, least: 0.70 }

/** Our multipart upload, SHA-256 and AES-256-GCM included, beside the plain recipe. */
export async function benchUpload ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const contenders = [await localSend(join(folder, 'upload'), file), await plain(join(folder, 'plain-upload'), file)]
  const results = await runRounds('upload', contenders, file, runs)
  for (const { server } of contenders) await server.stop()
  return compare('Upload', file, results, MARK)
}

async function localSend (workingFolder: string, file: TestFile): Promise<Contender> {
  await mkdir(workingFolder)
  const service = await startLocalSend(workingFolder)
  let fileId = ''
  const transfer = async (): Promise<number> => {
    const stored = await service.upload(file)
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

async function plain (workingFolder: string, file: TestFile): Promise<Contender> {
  await mkdir(workingFolder)
  const server = await startContender('plain-upload', { FOLDER: workingFolder })
  const stored = join(workingFolder, 'upload.bin')
  const transfer = async (): Promise<number> => (await upload({ url: `${server.origin}/upload` }, file)).seconds
  return {
    name: PLAIN,
    server,
    transfer,
    reset: () => rm(stored),
    async digest () {
      await transfer()
      return await sha256Of(stored)
    }
  }
}

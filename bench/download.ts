import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { download, downloadedSha256, type Target } from './client.js'
import { compare } from './comparison.js'
import { startLocalSend } from './local-send.js'
import { startContender, type Server } from './process.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import type { TestFile } from './test-file.js'

const READ_STREAM = 'read stream'
const MARK = { against: READ_STREAM, least: 0.90 }

/** Our download beside the same file from a plain read stream and from @fastify/static. */
export async function benchDownload ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const contenders = [
    await localSend(join(folder, 'download'), file),
    await plain(READ_STREAM, 'read-stream', file),
    await plain('@fastify/static', 'static', file)
  ]
  const results = await runRounds('download', contenders, file, runs)
  for (const { server } of contenders) await server.stop()
  return compare('Download', file, results, MARK)
}

async function localSend (workingFolder: string, file: TestFile): Promise<Contender> {
  await mkdir(workingFolder)
  const service = await startLocalSend(workingFolder)
  const { fileId } = await service.upload(file)
  // The file had to be uploaded to this very process; what that took at its height is not the download's.
  await service.server.forgetPeak()
  return contender('Local Send', service.server, service.downloadTarget(fileId))
}

async function plain (name: string, program: string, { path }: TestFile): Promise<Contender> {
  const server = await startContender(program, { FILE: path })
  return contender(name, server, { url: `${server.origin}/download` })
}

const contender = (name: string, server: Server, target: Target): Contender => ({
  name,
  server,
  transfer: () => download(target),
  reset: () => Promise.resolve(),
  digest: () => downloadedSha256(target)
})

import { writeSync } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadInParts, type Target } from './client.js'
import { compare } from './comparison.js'
import { startLocalSend } from './local-send.js'
import { startContender, type Server } from './process.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import { sha256Of, type TestFile } from './test-file.js'

const READ_STREAM = 'read streams'
const MARK = { against: READ_STREAM, least: 0.90 }
const CONNECTIONS = 8

/** Our download in parts, as download managers do it, beside the same from plain read streams and from @fastify/static. */
export async function benchRange ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const assembled = join(folder, 'assembled.bin')
  const contenders = [
    await localSend(join(folder, 'range'), file, assembled),
    await plain(READ_STREAM, 'range-stream', file, assembled),
    await plain('@fastify/static', 'static', file, assembled)
  ]
  const results = await runRounds('range', contenders, file, runs)
  for (const { server } of contenders) await server.stop()
  return compare(`Download over ${CONNECTIONS} connections`, file, results, MARK)
}

async function localSend (workingFolder: string, file: TestFile, assembled: string): Promise<Contender> {
  await mkdir(workingFolder)
  const service = await startLocalSend(workingFolder)
  const { fileId } = await service.upload(file)
  // The file had to be uploaded to this very process; what that took at its height is not the download's.
  await service.server.forgetPeak()
  return contender('Local Send', service.server, service.downloadTarget(fileId), file, assembled)
}

async function plain (name: string, program: string, file: TestFile, assembled: string): Promise<Contender> {
  const server = await startContender(program, { FILE: file.path })
  return contender(name, server, { url: `${server.origin}/download` }, file, assembled)
}

const contender = (name: string, server: Server, target: Target, { size }: TestFile, assembled: string): Contender => ({
  name,
  server,
  transfer: () => downloadInParts(target, size, CONNECTIONS),
  reset: () => Promise.resolve(),
  digest: () => assembledSha256(target, size, assembled)
})

/** Downloads once more, into a file, since a digest needs the bytes in their order. */
async function assembledSha256 (target: Target, size: number, path: string): Promise<string> {
  const file = await open(path, 'wx')
  try {
    // At once, since the bytes are valid only during the call; nothing is measured here.
    await downloadInParts(target, size, CONNECTIONS, (bytes, position) => { writeSync(file.fd, bytes, 0, bytes.length, position) })
    return await sha256Of(path)
  } finally {
    await file.close()
    await rm(path)
  }
}

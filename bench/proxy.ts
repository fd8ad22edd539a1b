import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { downloadedSha256, type Target } from './client.js'
import { compare } from './comparison.js'
import { startLocalSend, type LocalSend } from './local-send.js'
import { hasNginx, NGINX, startNginxProxy } from './nginx.js'
import type { Server } from './process.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import { sha256Of, type TestFile } from './test-file.js'

const run = promisify(execFile)
const HTTP1 = 'through nginx, HTTP/1.1'
const MARK = { against: HTTP1, least: 0.80 }
const NOTE = 'The client is curl, whose CPU time is not counted; that of nginx and of the server is, together. Straight is without TLS.'

/** A way to the server. */
interface Way {
  readonly name: string
  readonly origin: string
  /** Of curl. */
  readonly options: readonly string[]
  /** All processes on it. */
  readonly server: Server
}

/** Uploads by PUT and downloads, straight and through nginx as deploy/nginx sets it up. */
export async function benchProxy ({ folder, testFile, size, runs }: Task): Promise<Report[]> {
  if (!await hasNginx()) throw new Error(`The proxy benchmark needs nginx, which this machine does not have at ${NGINX}.`)
  const file = await testFile(size)
  const serverFolder = join(folder, 'proxied')
  const proxyFolder = join(folder, 'proxy')
  for (const path of [serverFolder, proxyFolder]) await mkdir(path)
  const service = await startLocalSend(serverFolder)
  const { server: nginx, certFile } = await startNginxProxy(proxyFolder, service.server.origin)
  const both = together(service.server, nginx)
  const ways: Way[] = [
    { name: 'through nginx, HTTP/2', origin: nginx.origin, options: ['--http2', '--cacert', certFile], server: both },
    { name: HTTP1, origin: nginx.origin, options: ['--http1.1', '--cacert', certFile], server: both },
    { name: 'straight, HTTP/1.1', origin: service.server.origin, options: ['--http1.1'], server: service.server }
  ]
  const uploads = await runRounds('proxy, upload', ways.map((way) => uploading(way, service, file)), file, runs)
  const { fileId } = await service.put(file)
  for (const { server } of ways) await server.forgetPeak()
  const downloads = await runRounds('proxy, download', ways.map((way) => downloading(way, service.downloadTarget(fileId), folder)), file, runs)
  await nginx.stop()
  await service.server.stop()
  return [
    { ...compare('Upload through a proxy', file, uploads, MARK), notes: [NOTE] },
    { ...compare('Download through a proxy', file, downloads, MARK), notes: [NOTE] }
  ]
}

function uploading (way: Way, service: LocalSend, file: TestFile): Contender {
  let fileId = ''
  const transfer = async (): Promise<number> => {
    const { seconds, answer } = await curl(way, service.putTarget, ['--upload-file', file.path])
    fileId = service.fileIdIn(answer, file)
    return seconds
  }
  return {
    name: way.name,
    server: way.server,
    transfer,
    reset: () => service.delete(fileId),
    async digest () {
      await transfer()
      return await downloadedSha256(service.downloadTarget(fileId))
    }
  }
}

function downloading (way: Way, target: Target, folder: string): Contender {
  const fetched = join(folder, 'fetched.bin')
  return {
    name: way.name,
    server: way.server,
    transfer: async () => (await curl(way, target, ['--output', '/dev/null'])).seconds,
    reset: () => Promise.resolve(),
    async digest () {
      await curl(way, target, ['--output', fetched])
      return await sha256Of(fetched)
    }
  }
}

/** @throws Error unless the status is 2xx */
async function curl ({ origin, options }: Way, { url, headers = {} }: Target, args: readonly string[]): Promise<{ seconds: number, answer: string }> {
  const { stdout } = await run('curl', [
    '--silent', '--show-error', '--fail', ...options, ...Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
    '--write-out', '\n%{time_total}', ...args, origin + new URL(url).pathname
  ])
  const end = stdout.lastIndexOf('\n')
  return { seconds: Number(stdout.slice(end + 1)), answer: stdout.slice(0, end) }
}

/** Two servers as one. */
const together = (first: Server, second: Server): Server => ({
  origin: second.origin,
  cpuSeconds: async () => await first.cpuSeconds() + await second.cpuSeconds(),
  peakMemory: async () => await first.peakMemory() + await second.peakMemory(),
  async forgetPeak () {
    await first.forgetPeak()
    await second.forgetPeak()
  },
  async stop () {
    await second.stop()
    await first.stop()
  }
})

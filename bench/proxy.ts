import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { downloadedSha256, type Target } from './client.js'
import { compare } from './comparison.js'
import { startLocalSend, type LocalSend } from './local-send.js'
import { hasNginx, NGINX, startNginxProxy } from './nginx.js'
import type { Server } from './process.js'
import { curlDownload, curlUpload, h2loadUpload, type Protocol, type Route, type Uploader } from './proxy-clients.js'
import { runRounds, type Contender } from './rounds.js'
import type { Report } from './table.js'
import type { Task } from './task.js'
import { sha256Of, type TestFile } from './test-file.js'

const HTTP1 = 'through nginx, HTTP/1.1, curl'
const MARK = { against: HTTP1, least: 0.80 }
const NOTE = 'The CPU time of curl and h2load is not counted; that of nginx and of the server is, together. Straight is without TLS.'

/** A way to the server, and all processes on it. */
interface Way extends Route {
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
  const through = (protocol: Protocol): Way => ({ origin: nginx.origin, protocol, certFile, server: both })
  const straight: Way = { origin: service.server.origin, protocol: 'HTTP/1.1', server: service.server }
  const upload = (name: string, way: Way, send: Uploader): Contender => uploading(name, way, send, service, file)
  const uploads = await runRounds('proxy, upload', [
    upload('through nginx, HTTP/2, h2load', through('HTTP/2'), h2loadUpload),
    upload('through nginx, HTTP/1.1, h2load', through('HTTP/1.1'), h2loadUpload),
    upload('through nginx, HTTP/2, curl', through('HTTP/2'), curlUpload),
    upload(HTTP1, through('HTTP/1.1'), curlUpload),
    upload('straight, HTTP/1.1, curl', straight, curlUpload)
  ], file, runs)
  const target = service.downloadTarget((await service.put(file)).fileId)
  for (const server of [service.server, nginx]) await server.forgetPeak()
  const download = (name: string, way: Way): Contender => downloading(name, way, target, folder)
  const downloads = await runRounds('proxy, download', [
    download('through nginx, HTTP/2, curl', through('HTTP/2')),
    download(HTTP1, through('HTTP/1.1')),
    download('straight, HTTP/1.1, curl', straight)
  ], file, runs)
  await both.stop()
  return [
    { ...compare('Upload through a proxy', file, uploads, MARK), notes: [NOTE] },
    { ...compare('Download through a proxy', file, downloads, MARK), notes: [NOTE] }
  ]
}

function uploading (name: string, way: Way, send: Uploader, service: LocalSend, file: TestFile): Contender {
  let fileId = ''
  const transfer = async (): Promise<number> => {
    const seconds = await send(way, service.putTarget, file.path)
    fileId = await service.onlyFileId(file)
    return seconds
  }
  return {
    name,
    server: way.server,
    transfer,
    reset: () => service.delete(fileId),
    async digest () {
      await transfer()
      return await downloadedSha256(service.downloadTarget(fileId))
    }
  }
}

function downloading (name: string, way: Way, target: Target, folder: string): Contender {
  const fetched = join(folder, 'fetched.bin')
  return {
    name,
    server: way.server,
    transfer: () => curlDownload(way, target, '/dev/null'),
    reset: () => Promise.resolve(),
    async digest () {
      await curlDownload(way, target, fetched)
      return await sha256Of(fetched)
    }
  }
}

/** Two servers as one. */
const together = (first: Server, second: Server): Server => ({
  origin: second.origin,
  pid: second.pid,
  cpuSeconds: () => first.cpuSeconds() + second.cpuSeconds(),
  peakMemory: () => first.peakMemory() + second.peakMemory(),
  async forgetPeak () {
    await first.forgetPeak()
    await second.forgetPeak()
  },
  async stop () {
    await second.stop()
    await first.stop()
  }
})

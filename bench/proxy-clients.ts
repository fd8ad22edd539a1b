/** The programs that upload and download through a proxy: Node's own client knows no HTTP/2, and its TLS would be measured. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Target } from './client.js'

const run = promisify(execFile)

export type Protocol = 'HTTP/1.1' | 'HTTP/2'

/** A way to the server. */
export interface Route {
  readonly origin: string
  readonly protocol: Protocol
  /** The certificate to believe, where the origin has TLS. */
  readonly certFile?: string
}

/**
 * Uploads a file by PUT. @returns seconds
 * @throws Error unless the status is 2xx
 */
export type Uploader = (route: Route, target: Target, path: string) => Promise<number>

export const curlUpload: Uploader = (route, target, path) => curl(route, target, ['--upload-file', path, '--output', '/dev/null'])

/**
 * Downloads. @returns seconds
 * @throws Error unless the status is 2xx
 */
export const curlDownload = (route: Route, target: Target, path: string): Promise<number> => curl(route, target, ['--output', path])

async function curl (route: Route, target: Target, args: readonly string[]): Promise<number> {
  const { stdout } = await run('curl', [
    '--silent', '--show-error', '--fail', route.protocol === 'HTTP/2' ? '--http2' : '--http1.1', ...route.certFile === undefined ? [] : ['--cacert', route.certFile],
    ...headerArguments(target), '--write-out', '%{time_total}', ...args, addressOf(route, target)
  ])
  return Number(stdout)
}

/** By nghttp2's h2load, which speaks both protocols by the same code. It believes any certificate. */
export const h2loadUpload: Uploader = async (route, target, path) => {
  const { stdout } = await run('h2load', [
    '--requests=1', '--clients=1', ...route.protocol === 'HTTP/2' ? [] : ['--h1'], '--header', ':method: PUT', ...headerArguments(target), `--data=${path}`, addressOf(route, target)
  ])
  const [, value, unit] = /^finished in ([\d.]+)(s|ms),/m.exec(stdout) ?? []
  if (value === undefined || !/^status codes: 1 2xx/m.test(stdout)) throw new Error(`h2load has not uploaded the file: ${stdout}`)
  return unit === 's' ? Number(value) : Number(value) / 1000
}

const headerArguments = ({ headers = {} }: Target): string[] => Object.entries(headers).flatMap(([name, value]) => ['--header', `${name}: ${value}`])

const addressOf = ({ origin }: Route, { url }: Target): string => origin + new URL(url).pathname

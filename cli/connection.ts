/** The way to the server: its address, the authorities that are trusted, and the proxy in between. */

import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { rootCertificates } from 'node:tls'
import type { Fetch, FetchInit } from '../client/http.js'
import type { Connection } from '../client/session.js'
import { CliError } from './cli-error.js'
import { EXIT } from './exit-codes.js'
import { sentenceFor } from './files/system-error.js'
import type { Report } from './report.js'

export const DEFAULT_SERVER = 'http://127.0.0.1:5000'

/** LOCAL_SEND_SERVER, or this machine. */
export function serverFromEnvironment (): string {
  const server = process.env['LOCAL_SEND_SERVER'] ?? ''
  return server === '' ? DEFAULT_SERVER : server
}

const PROXY_VARIABLES = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy'] as const
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]', '::1'] as const

export interface ConnectionOptions {
  /** As somebody typed it. */
  readonly server: string
  /** A file of certificates of authorities that are trusted beside the usual ones. */
  readonly ca?: string | undefined
}

/**
 * The connection that all calls use.
 *
 * @throws {@link CliError} if the address is none, or the file of certificates cannot be read
 */
export async function connect ({ server, ca }: ConnectionOptions, report: Report): Promise<Connection> {
  const url = parseServer(server)
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    report.warn(`The connection to ${url.host} is not encrypted: whoever listens sees sizes, times and addresses, and can stand in for the server.`)
  }
  await useNetwork(ca)
  report.server = `${url.origin}${url.pathname}`.replace(/\/+$/, '')
  return { server: report.server, fetch: fetchSparingly }
}

function parseServer (server: string): URL {
  const url = URL.parse(/^[a-z]+:\/\//i.test(server) ? server : `https://${server}`)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) throw new CliError('The server is not a web address such as https://send.example.org.', EXIT.usage)
  if (url.username !== '' || url.password !== '') throw new CliError('The address of the server must not hold a name or a password.', EXIT.usage)
  return url
}

/** Whether only this machine reaches the server under this address. */
export const isLocal = (server: string): boolean => isLoopback(new URL(server).hostname)

const isLoopback = (hostname: string): boolean => LOOPBACK.some((name) => name === hostname) || hostname.startsWith('127.') || hostname.endsWith('.localhost')

/** Node's fetch, except for the content of files: of what is sent it makes two copies, and one of what comes. */
const fetchSparingly: Fetch = async (url, init) =>
  init.body instanceof Uint8Array || /\/download\/[0-9a-f]+$/.test(url) ? await requestContent(url, init) : await fetch(url, init)

async function requestContent (url: string, { method, headers, body, signal }: FetchInit): Promise<Response> {
  const { request } = await import('undici')
  const answer = await request(url, {
    method: method === 'PATCH' || method === 'POST' ? method : 'GET',
    headers,
    ...(body instanceof Uint8Array && { body }),
    ...(signal !== undefined && { signal })
  })
  const names = Object.entries(answer.headers).map(([name, value]): [string, string] => [name, String(value)])
  if (answer.statusCode === 204) await answer.body.dump()
  return new Response(answer.statusCode === 204 ? null : asItComes(answer.body), { status: answer.statusCode, headers: names })
}

/** The pieces of a body as they are, each when it is asked for. */
function asItComes (body: Readable): ReadableStream<Uint8Array> {
  const pieces = body.iterator() as AsyncIterator<Uint8Array>
  return new ReadableStream({
    async pull (controller) {
      const next = await pieces.next()
      if (next.done === true) controller.close()
      else controller.enqueue(next.value)
    },
    cancel () { body.destroy() }
  }, { highWaterMark: 0 })
}

/** Node's own fetch takes neither a proxy nor another authority; undici, which it is made of, is loaded only where one is wanted. */
async function useNetwork (ca: string | undefined): Promise<void> {
  const proxied = PROXY_VARIABLES.some((name) => (process.env[name] ?? '') !== '')
  if (ca === undefined && !proxied) return
  const { EnvHttpProxyAgent, setGlobalDispatcher } = await import('undici')
  const trust = ca === undefined ? {} : { ca: [...rootCertificates, await readCertificates(ca)] }
  const noProxy = [process.env['NO_PROXY'] ?? process.env['no_proxy'] ?? '', ...LOOPBACK].filter((name) => name !== '').join()
  setGlobalDispatcher(new EnvHttpProxyAgent({ noProxy, connect: trust, requestTls: trust, proxyTls: trust }))
}

async function readCertificates (path: string): Promise<string> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new CliError(`The certificates in ${path} cannot be read: ${sentenceFor(cause)}.`, EXIT.usage, { cause })
  }
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw new CliError(`${path} holds no certificate in PEM.`, EXIT.usage)
  return text
}

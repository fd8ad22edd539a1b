/** The way to the server: its address, the authorities that are trusted, and the proxy in between. */

import { readFile } from 'node:fs/promises'
import { rootCertificates } from 'node:tls'
import { watchContact } from '../client/contact.js'
import type { Fetch } from '../client/http.js'
import type { Connection } from '../client/session.js'
import { CliError } from './cli-error.js'
import { EXIT } from './exit-codes.js'
import { sentenceFor } from './files/system-error.js'
import type { Report } from './report.js'
import { unproxiedFetch } from './unproxied-fetch.js'

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
  report.server = `${url.origin}${url.pathname}`.replace(/\/+$/, '')
  return { server: report.server, fetch: await fetchFor(ca) }
}

/** The same connection; until the signal fires it is told when it is lost, and when it is back. */
export const toldOf = (connection: Connection, report: Report, signal: AbortSignal): Connection => watchContact(connection, {
  signal,
  onLost: () => { report.tell({ event: 'connection.lost' }, 'The connection to the server is lost. Trying again…') },
  onBack: () => { report.tell({ event: 'connection.back' }, 'The connection is back.') }
})

function parseServer (server: string): URL {
  const url = URL.parse(/^[a-z]+:\/\//i.test(server) ? server : `${isLoopback(hostOf(server)) ? 'http' : 'https'}://${server}`)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) throw new CliError('The server is not a web address such as https://send.example.org.', EXIT.usage)
  if (url.username !== '' || url.password !== '') throw new CliError('The address of the server must not hold a name or a password.', EXIT.usage)
  return url
}

/** The host of an address without a scheme. */
const hostOf = (address: string): string => URL.parse(`http://${address}`)?.hostname ?? ''

/** Whether only this machine reaches the server under this address. */
export const isLocal = (server: string): boolean => isLoopback(new URL(server).hostname)

const isLoopback = (hostname: string): boolean => LOOPBACK.some((name) => name === hostname) || hostname.startsWith('127.') || hostname.endsWith('.localhost')

/** Past a proxy by undici, which Node's own fetch is made of: node:http knows none. */
async function fetchFor (ca: string | undefined): Promise<Fetch> {
  const authorities = ca === undefined ? undefined : [...rootCertificates, await readCertificates(ca)]
  if (PROXY_VARIABLES.every((name) => (process.env[name] ?? '') === '')) return unproxiedFetch({ ca: authorities })
  const { EnvHttpProxyAgent, setGlobalDispatcher } = await import('undici')
  const trust = authorities === undefined ? {} : { ca: authorities }
  const noProxy = [process.env['NO_PROXY'] ?? process.env['no_proxy'] ?? '', ...LOOPBACK].filter((name) => name !== '').join()
  setGlobalDispatcher(new EnvHttpProxyAgent({ noProxy, connect: trust, requestTls: trust, proxyTls: trust }))
  return fetch
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

/** What NODE_ENV=production does not start with: settings that give away what people trust this server with. */

import { BlockList, isIP } from 'node:net'

/** The settings that are looked at; {@link readConfig} has checked their form. */
interface Settings {
  readonly HOST: string
  readonly PUBLIC_URL: string | undefined
  readonly TLS_CERT_FILE: string | undefined
  readonly TRUST_PROXY: readonly string[]
  readonly CORS_ORIGIN: readonly string[]
  readonly MAX_JOIN_ATTEMPTS: number
}

/** Guesses at a verification code or a password that a session may allow. */
const MAX_GUESSES = 100

/** @returns a sentence that names the variable and says what to do; `undefined` if nothing is unsafe */
export function findUnsafe (settings: Settings): string | undefined {
  const { HOST: host, PUBLIC_URL: url, TLS_CERT_FILE: certificate, TRUST_PROXY: proxies, CORS_ORIGIN: origins, MAX_JOIN_ATTEMPTS: guesses } = settings
  if (!isLoopback(host) && certificate === undefined && proxies.length === 0) {
    return `HOST must not be ${host} in production without TLS, since passwords and tokens would cross the network readable: set TLS_CERT_FILE and TLS_KEY_FILE, or TRUST_PROXY to the address of the proxy that ends TLS.`
  }
  if (url !== undefined && !isPrivate(url)) return 'PUBLIC_URL must begin with https:// in production: passwords and tokens would cross the network readable.'
  const readable = origins.find((origin) => !isPrivate(origin))
  if (readable !== undefined) return `CORS_ORIGIN must list https:// origins in production, not "${readable}": whoever is on the network could change its pages, and they would have the tokens.`
  if (guesses > MAX_GUESSES) return `MAX_JOIN_ATTEMPTS must be at most ${MAX_GUESSES} in production: each attempt is a guess at the password.`
  return undefined
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

const isLoopback = (host: string): boolean => {
  const family = isIP(host)
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'))
}

/** Whether nobody on the network can read or change what goes there. */
const isPrivate = (url: string): boolean => {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || isLoopback(hostname.replace(/^\[(.*)\]$/, '$1'))
}

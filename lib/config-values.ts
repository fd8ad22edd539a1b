/** Parsers of single configuration values. Each throws a TypeError whose message completes «NAME …». */

import { BlockList, isIP } from 'node:net'
import { fromBase64url, fromHex, type Bytes } from './crypto/bytes.js'

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40
}

/** A size in bytes: `104857600`, `500MB` (10⁶), `10GiB` (2³⁰), `1.5 GiB`. */
export function parseSize (input: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(input.trim())
  const unit = UNITS[match?.[2]?.toLowerCase() ?? '']
  const bytes = match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit)
  if (!Number.isSafeInteger(bytes) || bytes < 1) {
    throw new TypeError(`must be a size such as 104857600, 500MB or 10GiB, not "${input}"`)
  }
  return bytes
}

/** A whole number from `least` to `most`, both inclusive. */
export function parseWholeNumber (input: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,16}$/.test(input.trim()) ? Number(input) : Number.NaN
  if (!(value >= least && value <= most)) {
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`
    throw new TypeError(`must be a whole number ${range}, not "${input}"`)
  }
  return value
}

/** Origins as browsers send them: scheme, host and port, nothing behind. */
export function parseOrigins (input: string): readonly string[] {
  return items(input).map((item) => {
    if (!URL.canParse(item) || new URL(item).origin !== item || !/^https?:\/\/[^*]+$/.test(item)) {
      throw new TypeError(`must list origins such as https://example.org, without a path, not ${quoted(item)}`)
    }
    return item
  })
}

/** An address that people open, without a slash at the end: `https://files.example.org/send`. */
export function parsePublicUrl (input: string): string {
  const url = input.trim().replace(/\/$/, '')
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  // Spelled as browsers spell it, or it would never equal what they send.
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || !isPath(url.slice(parsed.origin.length)) || !url.startsWith(parsed.origin)) {
    throw new TypeError(`must be an address such as https://files.example.org or https://example.org/send, not ${quoted(input)}`)
  }
  return url
}

/** A path without a slash at the end: `/send`; `/` is none. */
export function parseBasePath (input: string): string {
  const path = input.trim().replace(/\/$/, '')
  if (!isPath(path)) throw new TypeError(`must be a path such as /send, not "${input}"`)
  return path
}

/** Of names that are spelled in one way only: a proxy and this server must not read them differently. */
const isPath = (text: string): boolean => /^(?:\/[\w-][\w.~-]*)*$/.test(text)

const TOKEN = '[a-z0-9][a-z0-9!#$&^_.+-]*'
const MEDIA_TYPE = new RegExp(`^${TOKEN}/(?:\\*|${TOKEN})$`)

/** Media types, lower case: `application/pdf`, or all of one kind: `image/*`. */
export function parseMediaTypes (input: string): readonly string[] {
  return items(input.toLowerCase()).map((item) => {
    if (!MEDIA_TYPE.test(item)) throw new TypeError(`must list media types such as image/*,application/pdf, not "${item}"`)
    return item
  })
}

/** Extensions of file names, lower case, with or without the dot before them: `pdf`, `.tar.gz`. */
export function parseExtensions (input: string): readonly string[] {
  return items(input.toLowerCase()).map((item) => {
    if (!/^\.?[^\s.*/\\]+(?:\.[^\s.*/\\]+)*$/.test(item)) throw new TypeError(`must list file name extensions such as pdf,tar.gz, not "${item}"`)
    return item
  })
}

const RANGE_NAMES = new Set(['loopback', 'linklocal', 'uniquelocal'])
/** IPv4 written as IPv6, in whatever spelling: its prefix would count from the wrong end. */
const mapped = new BlockList()
mapped.addSubnet('::ffff:0:0', 96, 'ipv6')

/**
 * Addresses and CIDR ranges of trusted proxies. A range that would trust everybody is refused: with it, any client could
 * choose its own address.
 */
export function parseAddressRanges (input: string): readonly string[] {
  return items(input).map((item) => {
    if (RANGE_NAMES.has(item)) return item
    const [address = '', prefix, ...rest] = item.split('/')
    const width = { 0: Number.NaN, 4: 32, 6: 128 }[isIP(address)] ?? Number.NaN
    const bits = prefix === undefined ? width : parsePrefix(prefix)
    if (rest.length > 0 || !(bits <= width) || mapped.check(address, 'ipv6')) {
      throw new TypeError(`must list addresses or ranges such as 127.0.0.1,10.0.0.0/8, not "${item}"`)
    }
    if (bits < 8) throw new TypeError(`must not trust a range as wide as "${item}"`)
    return item
  })
}

/** A bucket's name, as all services take it. */
export function parseBucket (input: string): string {
  if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(input.trim())) return input.trim()
  throw new TypeError(`must be a bucket's name, 3 to 63 of a-z, 0-9, dot and hyphen, not "${input}"`)
}

/** Where object storage answers: scheme, host and port. No message repeats it: it may hold a password. */
export function parseEndpoint (input: string): string {
  const url = URL.canParse(input.trim()) ? new URL(input.trim()) : undefined
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.href === `${url.origin}/`) return url.origin
  throw new TypeError('must be an address such as https://s3.example.org, without a path or a user name')
}

/** What object names begin with; ends with a slash: `transfers/`. */
export function parseKeyPrefix (input: string): string {
  const prefix = input.trim().replace(/\/?$/, '/')
  if (/^(?:[\w-][\w.-]*\/)+$/.test(prefix)) return prefix
  throw new TypeError(`must be names with slashes between, such as transfers/ or local-send/eu/, not "${input}"`)
}

/** Bytes of a secret, and how many different ones among them speak for chance. */
const SECRET_SIZE = 32
const SECRET_VARIETY = 16

/** A secret of at least 32 random bytes, in hex, base64 or base64url. No message repeats it. */
export function parseSecret (input: string): Bytes {
  try {
    const secret = decodeSecret(input.trim())
    if (secret.length >= SECRET_SIZE && new Set(secret).size >= SECRET_VARIETY) return secret
  } catch { /* It is refused below. */ }
  throw new TypeError(`must be at least ${SECRET_SIZE} random bytes in hex or base64, as "openssl rand -hex ${SECRET_SIZE}" prints them`)
}

/** What looks like hex is hex: one that lost a digit must not pass as another secret in base64. */
const decodeSecret = (text: string): Bytes => /^[0-9a-f]+$/i.test(text)
  ? fromHex(text.toLowerCase())
  : decodeBase64(text)

const decodeBase64 = (text: string): Bytes =>
  fromBase64url((text.length % 4 === 0 ? text.replace(/={1,2}$/, '') : text).replaceAll('+', '-').replaceAll('/', '_'))

/** Shortest token that an operator may choose, and how many different characters it takes at least. */
const TOKEN_LENGTH = 24
const TOKEN_VARIETY = 8

/** A bearer token (RFC 6750, section 2.1) that nobody guesses. No message repeats it. */
export function parseToken (input: string): string {
  const token = input.trim()
  if (/^[A-Za-z0-9._~+/-]+=*$/.test(token) && token.length >= TOKEN_LENGTH && new Set(token).size >= TOKEN_VARIETY) return token
  throw new TypeError(`must be at least ${TOKEN_LENGTH} random letters, digits or -._~+/, as "openssl rand -hex 32" prints them`)
}

/** Bytes of a key of Standard Webhooks. */
const WEBHOOK_KEY = { least: 24, most: 64 }

/** A key as Standard Webhooks writes it: base64, `whsec_` before it or not. No message repeats it. */
export function parseWebhookSecret (input: string): Bytes {
  try {
    const key = decodeBase64(input.trim().replace(/^whsec_/, ''))
    if (key.length >= WEBHOOK_KEY.least && key.length <= WEBHOOK_KEY.most && new Set(key).size >= SECRET_VARIETY) return key
  } catch { /* It is refused below. */ }
  throw new TypeError(`must be ${WEBHOOK_KEY.least} to ${WEBHOOK_KEY.most} random bytes in base64, as "openssl rand -base64 32" prints them, with whsec_ before it or not`)
}

/** An address to send to: https, or http on this machine. No message repeats it: it may hold a token. */
export function parseWebhookUrl (input: string): string {
  const url = URL.canParse(input.trim()) ? new URL(input.trim()) : undefined
  const local = url?.protocol === 'http:' && /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url !== undefined && (url.protocol === 'https:' || local) && url.username === '' && url.password === '') return url.href
  throw new TypeError('must be an https:// address without a user name, or an http:// one of this machine')
}

/** Some of a set of names. */
export function parseChoices <T extends string> (input: string, choices: readonly T[]): readonly T[] {
  return items(input).map((item) => {
    const chosen = choices.find((choice) => choice === item)
    if (chosen === undefined) throw new TypeError(`must list some of ${choices.join(', ')}, not "${item}"`)
    return chosen
  })
}

/** What was given instead of an address. What stands before an @ may be a password. */
const quoted = (given: string): string => given.includes('@') ? 'one with a user name or a password' : `"${given}"`

const parsePrefix = (prefix: string): number => /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN

const items = (input: string): string[] => input.split(',').map((item) => item.trim()).filter((item) => item !== '')

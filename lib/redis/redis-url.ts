/** Where Redis is, as REDIS_URL says it. No message repeats it: it may hold a password. */

export interface RedisAddress {
  readonly host: string
  readonly port: number
}

export interface RedisTarget {
  /** One server; Sentinels that know who is master; some nodes of a cluster. */
  readonly kind: 'server' | 'sentinel' | 'cluster'
  readonly tls: boolean
  readonly addresses: readonly [RedisAddress, ...RedisAddress[]]
  readonly username: string | undefined
  readonly password: string | undefined
  /** How the Sentinels call the master; empty otherwise. */
  readonly master: string
  readonly database: number
}

const URL_FORM = /^(redis|rediss)(?:\+(sentinel|cluster))?:\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^@/]+)(\/[^/]*)?(?:\/(\d{1,4}))?\/?$/
const HOST_FORM = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i
const PORTS = { server: 6379, sentinel: 26_379, cluster: 6379 }

/**
 * Reads `redis://` or, with TLS, `rediss://` and then `[user:password@]host[:port][/database]`; with several hosts, comma-separated,
 * `redis+sentinel://…/master[/database]` and `redis+cluster://…`. User and password are percent-encoded.
 */
export function parseRedisUrl (input: string): RedisTarget {
  const [, scheme, topology, username, password, hosts = '', path = '', second] = URL_FORM.exec(input.trim()) ?? []
  const kind = topology === 'sentinel' || topology === 'cluster' ? topology : 'server'
  const [first, ...others] = hosts.split(',').map((host) => addressOf(host, PORTS[kind]))
  const name = path.slice(1)
  const database = kind === 'sentinel' ? second ?? '0' : name === '' ? '0' : name
  const master = kind === 'sentinel' ? decoded(name) ?? '' : ''
  const right = scheme !== undefined && first !== undefined &&
    (kind !== 'server' || others.length === 0) && (kind !== 'sentinel' || master !== '') && (kind === 'sentinel' || second === undefined) &&
    /^\d{1,4}$/.test(database) && (kind !== 'cluster' || database === '0')
  if (!right) throw new TypeError(EXPECTED)
  return { kind, tls: scheme === 'rediss', addresses: [first, ...others], username: decoded(username), password: decoded(password), master, database: Number(database) }
}

const EXPECTED = 'must be an address such as rediss://user:password@redis.example.org:6379/0, redis+sentinel://one,two,three/master or redis+cluster://one,two,three'

function addressOf (text: string, standard: number): RedisAddress {
  const [, host, port] = HOST_FORM.exec(text.trim()) ?? []
  const number = port === undefined ? standard : Number(port)
  if (host === undefined || number < 1 || number > 65_535) throw new TypeError(EXPECTED)
  return { host: host.replace(/^\[|\]$/g, ''), port: number }
}

function decoded (text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    throw new TypeError(EXPECTED)
  }
}

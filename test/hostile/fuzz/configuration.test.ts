import fc from 'fast-check'
import t from 'tap'
import { ConfigError, readConfig, VARIABLES } from '../../../lib/config.js'
import { parseRedisUrl } from '../../../lib/redis/redis-url.js'
import { withoutBasePath } from '../../../routes/base-path.js'
import { mutatedText, text } from './inputs.js'
import { holds, must, read } from './holds.js'

/** Stands in everything that is secret. */
const CANARY = 'c4n4ry'
const HEX = `${CANARY.replace(/[^0-9a-f]/g, 'a')}${'0123456789abcdef'.repeat(4)}`.slice(0, 64)

const SECRETS = ['ADMIN_TOKEN', 'METRICS_TOKEN', 'SESSION_KEY_SECRET', 'SESSION_KEY_SECRET_PREVIOUS', 'WEBHOOK_SECRET', 'WEBHOOK_URL', 'REDIS_URL', 'S3_ENDPOINT'] as const

/** A right value of each variable, or more. */
const RIGHT: Readonly<Record<string, readonly string[]>> = {
  ADMIN_TOKEN: [`${CANARY}-token-of-the-operator`],
  METRICS_TOKEN: [`${CANARY}-token-of-the-metrics`],
  SESSION_KEY_SECRET: [HEX],
  SESSION_KEY_SECRET_PREVIOUS: [HEX],
  WEBHOOK_SECRET: [`whsec_${btoa(HEX.slice(0, 32))}`],
  WEBHOOK_URL: [`https://example.org/${CANARY}`],
  REDIS_URL: [`redis://user:${CANARY}@localhost:6379/0`, `rediss+sentinel://:${CANARY}@a,b:1/master/2`, 'redis+cluster://a,b,[::1]:7000'],
  S3_ENDPOINT: ['https://s3.example.org'],
  PUBLIC_URL: ['https://example.org/send', `https://user:${CANARY}@example.org`],
  BASE_PATH: ['/send', '/'],
  CORS_ORIGIN: ['https://a.example,https://b.example', `https://user:${CANARY}@example.org`],
  TRUST_PROXY: ['127.0.0.1,10.0.0.0/8', 'fe80::1%eth0', '::ffff:10.0.0.0/104', 'loopback', '2001:db8::/32'],
  HOST: ['0.0.0.0', '::', 'fe80::1%lo', 'localhost'],
  NODE_ENV: ['production', 'development', 'test'],
  SESSION_STORE: ['redis', 'memory', 'embedded'],
  BLOB_STORE: ['s3', 'disk'],
  WORKERS: ['1', '4'],
  MAX_FILE_SIZE: ['1.5 GiB', '1TiB', '2TiB', '9007199254740993'],
  S3_BUCKET: ['bucket'],
  S3_PREFIX: ['a/b/'],
  PORT: ['65535', '0'],
  ALLOWED_TYPES: ['image/*,text/plain'],
  ALLOWED_EXTENSIONS: ['.tar.gz,pdf'],
  WEBHOOK_EVENTS: ['join.refused,session.locked'],
  TLS_CERT_FILE: ['a.pem'],
  TLS_KEY_FILE: ['b.pem'],
  METRICS_PORT: ['9090'],
  STREAM_MEMORY: ['1MiB'],
  S3_PART_SIZE: ['5MiB'],
  S3_MEMORY: ['256MiB'],
  LOG_LEVEL: ['info']
}

const names = Object.keys(VARIABLES)
const values = (name: string): fc.Arbitrary<string> => {
  const right = fc.constantFrom(...RIGHT[name] ?? ['1', 'true', 'x'])
  return fc.oneof({ weight: 3, arbitrary: right }, mutatedText(right), text(40), text(20).map((end) => `${CANARY}${end}`))
}
const environments = fc.subarray(names, { maxLength: 12 }).chain((chosen) => fc.tuple(...chosen.map((name) => fc.tuple(fc.constant(name), values(name))))).map((pairs) => Object.fromEntries(pairs))

t.test('an environment', async (t) => {
  const isClear = (env: Readonly<Record<string, string>>) => (error: unknown): boolean => {
    if (!(error instanceof ConfigError)) return false
    const [, name = ''] = /^([A-Z0-9_]+) [^\n]*[.]$/s.exec(error.message.replaceAll('\n', ' ')) ?? []
    must(name in VARIABLES, `no variable is named: ${error.message}`)
    // What is said back is the value of what is named, and only if it is no secret.
    const isSecret = SECRETS.some((secret) => secret === name) || /^\w+:\/\/[^/]*@/.test(env[name] ?? '')
    must(!isSecret || (!error.message.includes(CANARY) && error.cause === undefined), `a secret: ${error.message}`)
    return true
  }
  await holds(t, 'gives a configuration that can be given again, or one sentence that names a variable and no secret', fc.asyncProperty(environments, async (env) => {
    const config = await read(() => readConfig(env), isClear(env))
    if (config === undefined) return
    must(config.MAX_FILE_SIZE <= 2 ** 40 && config.PORT >= 0 && config.PORT <= 65_535 && config.STREAM_MEMORY >= 2 ** 20, 'beyond its limits')
    must(/^(?:\/[\w.~-]+)*$/.test(config.BASE_PATH) && !config.BASE_PATH.split('/').includes('..'), 'no path')
    must(config.SESSION_STORE !== 'redis' || (config.REDIS_URL !== undefined && config.SESSION_KEY_SECRET !== undefined), 'a store without its secret')
    must(JSON.stringify(readConfig({ ...env, BASE_PATH: config.BASE_PATH === '' ? '/' : config.BASE_PATH })) === JSON.stringify(config), 'another configuration')
  }))
  for (const name of names) {
    const one = fc.oneof(values(name), text(300))
    await holds(t, name, fc.asyncProperty(one, async (value) => { await read(() => readConfig({ [name]: value }), isClear({ [name]: value })) }), 4)
  }
})

t.test('an address of Redis', async (t) => {
  const hosts = fc.array(fc.constantFrom('localhost', 'redis.example.org', '10.0.0.1', '[::1]', 'a:1', '[::1]:65535'), { minLength: 1, maxLength: 3 })
  const addresses = fc.record({ scheme: fc.constantFrom('redis', 'rediss'), user: text(8), password: text(8), hosts, master: fc.stringMatching(/^[a-z]{1,6}$/), database: fc.nat(9999), kind: fc.constantFrom('', '+sentinel', '+cluster') })
    .map(({ scheme, user, password, hosts, master, database, kind }) => {
      const right = { user: user.toWellFormed(), password: password.toWellFormed() }
      const url = `${scheme}${kind}://${encodeURIComponent(right.user)}:${encodeURIComponent(right.password)}@${kind === '' ? hosts[0] ?? '' : hosts.join()}${kind === '+sentinel' ? `/${master}/${database}` : kind === '' ? `/${database}` : ''}`
      return { url, ...right }
    })
  await holds(t, 'has the user and the password that were written', fc.property(addresses, ({ url, user, password }) => {
    const { username, password: read } = parseRedisUrl(url)
    must((username ?? '') === user && (read ?? '') === password, 'others')
  }))
  await holds(t, 'is read, or refused without repeating it', fc.asyncProperty(fc.oneof(text(), mutatedText(addresses.map(({ url }) => url))), async (url) => {
    const target = await read(() => parseRedisUrl(url), (error) => error instanceof TypeError && /^must be an address such as rediss:\/\/user:password@redis\.example\.org:6379\/0, [^@]*$/.test(error.message))
    if (target === undefined) return
    for (const { host, port } of target.addresses) must(host !== '' && !/[\s@]/.test(host) && port >= 1 && port <= 65_535, 'no address')
    must(Number.isInteger(target.database) && target.database >= 0 && (target.kind === 'sentinel') === (target.master !== ''), 'no database, or no master')
  }))
  t.throws(() => parseRedisUrl(`redis://${'a'.repeat(1e6)}:`), TypeError)
  t.throws(() => parseRedisUrl(`redis://${'a,'.repeat(1e5)}@`), TypeError)
})

t.test('a URL without the base path', async (t) => {
  const paths = fc.oneof(text(20), fc.constantFrom('/send', '/send/', '/sender', '/send?x', '//send', '/send/send/x'))
  await holds(t, 'loses it once, in whole parts', fc.property(paths, fc.constantFrom('', '/send', '/a/b'), (path, base) => {
    const rest = withoutBasePath(path, base)
    must(rest === path || (base !== '' && `${base}${rest}` === path && rest.startsWith('/')), 'another path')
    must(withoutBasePath(`${base}/${path}`, base) === `/${path}`, 'not the path below it')
  }))
})

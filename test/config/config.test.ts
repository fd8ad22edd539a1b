import { inspect } from 'node:util'
import t from 'tap'
import type { RedisTarget } from '../../lib/redis/redis-url.js'
import { ConfigError, readConfig, VARIABLES } from '../../lib/config.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

type Name = keyof typeof VARIABLES

/** The value of one variable where nothing else is set. */
const read = (name: Name, value: string): unknown => readConfig({ ...(value !== '' && TOGETHER[name]), [name]: value })[name]

const COUNTS = { good: { 1: 1, ' 25 ': 25, '0012': 12, 9007199254740991: Number.MAX_SAFE_INTEGER }, bad: ['0', '-1', '1.5', '1e3', '0x10', 'ten', '9007199254740993', '99999999999999999', '٣', '1 2', '∞'] }
const SECONDS = { good: { 1: 1, 315360000: 315_360_000 }, bad: [...COUNTS.bad, '315360001', '60s'] }
const SIZES = {
  good: {
    1: 1, 104857600: 104_857_600, '500MB': 500_000_000, '10GiB': 10 * GIB, '1.5 GiB': 1.5 * GIB, '2mib': 2 * MIB, '3 kB': 3000, ' 4KiB ': 4096, '7b': 7, '1TB': 1e12, '0.5KiB': 512, '1.0000001MB': 1_000_000, '1TiB': 2 ** 40
  },
  bad: ['0', '0.4', '-1', '10 G', '1e6', 'MiB', '1,5GiB', '1.MiB', '.5MiB', '5constructor', '5__proto__', '1 MiB MiB', '0x100', '9007199254740993', '99999999999TiB', 'Infinity', 'unlimited']
}
const LARGE_SIZES = { good: { '1MiB': MIB, '2GB': 2e9 }, bad: SIZES.bad }

const HEX = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
const BYTES = Uint8Array.from({ length: 32 }, (_, i) => i)
const SECRETS = {
  good: {
    [HEX]: BYTES,
    [` ${HEX.toUpperCase()}\n`]: BYTES,
    [`${HEX}2021`]: Uint8Array.from({ length: 34 }, (_, i) => i),
    'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=': BYTES,
    AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8: BYTES,
    '/v8BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f': Uint8Array.of(254, 255, ...BYTES.subarray(1)),
    _v8BAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f: Uint8Array.of(254, 255, ...BYTES.subarray(1))
  },
  bad: [
    // 31 bytes; a digit lost, which would be 47 bytes of base64; bits behind the last byte.
    HEX.slice(2), HEX.slice(1), 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh', 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=',
    // Enough bytes, and no chance in them.
    '0'.repeat(64), 'password'.repeat(6), 'A'.repeat(64),
    'correct horse battery staple and three more words', `0x${HEX}`, HEX.replaceAll(/(..)(?=.)/g, '$1:'), ' ', `${HEX}=`, 'ü'.repeat(64)
  ]
}

const TOKENS = {
  good: { [HEX]: HEX, ' abcdefghijklmnopqrstuvwx\n': 'abcdefghijklmnopqrstuvwx', 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=': 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' },
  bad: ['abcdefghijklmnopqrstuvw', 'a'.repeat(64), 'abc'.repeat(20), 'correct horse battery staple and more', 'abcdefghijklmnopqrstuvwxü', 'abcdefghijklmn:opqrstuvwxyz', '=abcdefghijklmnopqrstuvwxyz', ' ']
}
const WEBHOOK_SECRETS = {
  good: {
    'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=': BYTES,
    ' AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 ': BYTES,
    AAECAwQFBgcICQoLDA0ODxAREhMUFRYX: BYTES.subarray(0, 24),
    // What looks like hex is base64 to every receiver.
    [HEX]: Uint8Array.from(Buffer.from(HEX, 'base64'))
  },
  bad: ['AAECAwQFBgcICQoLDA0ODxAREhMUFRY=', 'A'.repeat(64), `${HEX}${HEX}`, 'whsec_', 'secret_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX', 'correct horse battery staple', ' ']
}

/** What has to be set together. */
const TOGETHER: Partial<Record<Name, Partial<Record<Name, string>>>> = {
  BLOB_STORE: { S3_BUCKET: 'local-send' },
  WORKERS: { SESSION_STORE: 'redis', REDIS_URL: 'redis://localhost', SESSION_KEY_SECRET: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f' },
  WEBHOOK_URL: { WEBHOOK_SECRET: 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=' },
  WEBHOOK_SECRET: { WEBHOOK_URL: 'https://example.org/' },
  SESSION_STORE: { REDIS_URL: 'redis://localhost', SESSION_KEY_SECRET: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f' },
  SESSION_KEY_SECRET_PREVIOUS: { SESSION_KEY_SECRET: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f' }
}

const redisAt = (target: Partial<RedisTarget>): RedisTarget =>
  ({ kind: 'server', tls: false, addresses: [{ host: 'localhost', port: 6379 }], username: undefined, password: undefined, master: '', database: 0, ...target })

const TABLE: Record<Name, { fallback: unknown, good: Record<string, unknown>, bad: string[] }> = {
  HOST: { fallback: '127.0.0.1', good: { '0.0.0.0': '0.0.0.0', ' :: ': '::', localhost: 'localhost' }, bad: ['   ', '\t'] },
  PORT: { fallback: 5000, good: { 0: 0, 65535: 65535, ' 80 ': 80 }, bad: ['65536', '-1', '80.5', 'http', '0x50', '8e3', '5000/tcp'] },
  NODE_ENV: { fallback: 'development', good: { production: 'production', test: 'test', development: 'development' }, bad: ['staging', 'Production', 'prod', ' production'] },
  LOG_LEVEL: { fallback: 'info', good: { silent: 'silent', trace: 'trace', fatal: 'fatal' }, bad: ['INFO', 'verbose', '30', 'warning'] },
  PUBLIC_URL: {
    fallback: undefined,
    good: { 'https://files.example.org': 'https://files.example.org', ' https://example.org:8443/send/ ': 'https://example.org:8443/send', 'http://localhost:5000': 'http://localhost:5000', 'https://[::1]/a/b.c': 'https://[::1]/a/b.c' },
    bad: ['files.example.org', '/send', 'ftp://example.org', 'https://', 'https://Example.org', 'https://example.org:443', 'https://user@example.org', 'https://example.org/?a', 'https://example.org/#a', 'https://example.org//', 'https://example.org/a//b', 'https://example.org/../a', 'https://example.org/%61', 'https://example.org/a b']
  },
  BASE_PATH: { fallback: '', good: { '/': '', '/send': '/send', ' /send/ ': '/send', '/tools/local-send': '/tools/local-send' }, bad: ['send', '//', '/a//b', '/..', '/a/../b', '/a?b', '/a#b', '/%61', '/a b', 'https://example.org/send', '/a;b', '/ä'] },
  // Both or none: a test below has them together.
  TLS_CERT_FILE: { fallback: undefined, good: {}, bad: [' ', '/etc/ssl/cert.pem'] },
  TLS_KEY_FILE: { fallback: undefined, good: {}, bad: [' ', '/etc/ssl/key.pem'] },
  WORKERS: { fallback: 1, ...COUNTS },
  SHUTDOWN_GRACE: { fallback: 30, good: { 0: 0, 86400: 86_400 }, bad: ['-1', '86401', '30s', '0.5'] },
  MAX_FILE_SIZE: { fallback: 104_857_600, good: SIZES.good, bad: [...SIZES.bad, '1099511627777', '2TiB'] },
  MAX_SESSION_SIZE: { fallback: 1_048_576_000, good: SIZES.good, bad: SIZES.bad },
  MAX_STORAGE: { fallback: Number.POSITIVE_INFINITY, good: SIZES.good, bad: SIZES.bad },
  MIN_FREE_SPACE: { fallback: 512 * MIB, good: SIZES.good, bad: SIZES.bad },
  MAX_FILES: { fallback: 10_000, ...COUNTS },
  UPLOAD_FOLDER: { fallback: './uploads', good: { '/srv/my files': '/srv/my files', ' ./x ': './x' }, bad: [' '] },
  ALLOWED_TYPES: {
    fallback: [],
    good: { 'image/*,application/pdf': ['image/*', 'application/pdf'], ' Image/PNG , ': ['image/png'], ',': [], 'application/vnd.ms-excel': ['application/vnd.ms-excel'] },
    bad: ['jpg', 'image', 'image/', '/png', '*/*', '*', 'image/png;q=1', 'image/p*', 'image/png image/gif', 'image/png,jpg']
  },
  ALLOWED_EXTENSIONS: {
    fallback: [],
    good: { 'pdf,tar.gz': ['pdf', 'tar.gz'], ' .PDF , ': ['.pdf'], 日本: ['日本'] },
    bad: ['*', '*.pdf', 'image/png', 'pdf txt', '..', 'tar..gz', 'a\\b', 'pdf,*.txt']
  },
  STREAM_MEMORY: { fallback: 256 * MIB, good: LARGE_SIZES.good, bad: [...LARGE_SIZES.bad, '1', '1048575'] },
  BLOB_STORE: { fallback: 'disk', good: { disk: 'disk', s3: 's3' }, bad: ['S3', 'minio', ' disk'] },
  S3_BUCKET: { fallback: undefined, good: { 'local-send': 'local-send', ' a.b.c ': 'a.b.c' }, bad: ['ab', 'Upper', 'with/slash', '-a-', 'a'.repeat(64)] },
  S3_ENDPOINT: {
    fallback: undefined,
    good: { 'https://s3.example.org': 'https://s3.example.org', ' http://127.0.0.1:9000/ ': 'http://127.0.0.1:9000' },
    bad: ['s3.example.org', 'ftp://s3.example.org', 'https://key:secret@s3.example.org', 'https://s3.example.org/bucket', 'https://s3.example.org/?a']
  },
  S3_REGION: { fallback: 'us-east-1', good: { ' eu-central-1 ': 'eu-central-1' }, bad: [' '] },
  S3_FORCE_PATH_STYLE: { fallback: false, good: { true: true, false: false }, bad: ['yes', '1', 'True'] },
  S3_PREFIX: { fallback: undefined, good: { 'transfers/': 'transfers/', ' local-send/eu ': 'local-send/eu/' }, bad: ['/', '/a', 'a//b', '../a', 'a b', 'ä'] },
  S3_CHECKSUMS: { fallback: 'crc32', good: { sha256: 'sha256', none: 'none' }, bad: ['md5', 'CRC32'] },
  S3_PART_SIZE: { fallback: 8 * MIB, good: { '5MiB': 5 * MIB, '64MiB': 64 * MIB }, bad: ['5242879', '1073741825', '1'] },
  S3_MEMORY: { fallback: 256 * MIB, good: { '8MiB': 8 * MIB, '2GB': 2e9 }, bad: [...SIZES.bad, '8388607'] },
  IDLE_TIMEOUT: { fallback: 120, ...SECONDS },
  SESSION_TIMEOUT: { fallback: 3600, ...SECONDS },
  MAX_SESSION_AGE: { fallback: 604_800, ...SECONDS },
  MAX_SESSIONS: { fallback: 10_000, ...COUNTS },
  MAX_JOINERS: { fallback: 20, ...COUNTS },
  MAX_JOIN_ATTEMPTS: { fallback: 5, ...COUNTS },
  SESSION_STORE: { fallback: 'embedded', good: { memory: 'memory', embedded: 'embedded', redis: 'redis' }, bad: ['Redis', 'Memory', ' memory'] },
  REDIS_URL: {
    fallback: undefined,
    good: {
      'redis://localhost': redisAt({}),
      ' rediss://send:a%40b@redis.example.org:6380/3 ': redisAt({ tls: true, addresses: [{ host: 'redis.example.org', port: 6380 }], username: 'send', password: 'a@b', database: 3 }),
      'redis://:secret@[::1]': redisAt({ addresses: [{ host: '::1', port: 6379 }], password: 'secret' }),
      'redis+sentinel://a,b:7/mymaster/2': redisAt({ kind: 'sentinel', addresses: [{ host: 'a', port: 26_379 }, { host: 'b', port: 7 }], master: 'mymaster', database: 2 }),
      'rediss+cluster://a,b,c': redisAt({ kind: 'cluster', tls: true, addresses: [{ host: 'a', port: 6379 }, { host: 'b', port: 6379 }, { host: 'c', port: 6379 }] })
    },
    bad: ['localhost', 'http://localhost', 'redis://', 'redis://a,b', 'redis://a:0', 'redis://a:65536', 'redis://a/b', 'redis://a/0/1', 'redis+sentinel://a,b', 'redis+cluster://a/1', 'redis://u:%zz@a', 'redis://a b', 'redis://a:1:2']
  },
  SESSION_KEY_SECRET: { fallback: undefined, good: SECRETS.good, bad: SECRETS.bad },
  SESSION_KEY_SECRET_PREVIOUS: { fallback: undefined, good: SECRETS.good, bad: SECRETS.bad },
  TRUST_PROXY: {
    fallback: [],
    good: {
      '127.0.0.1,10.0.0.0/8': ['127.0.0.1', '10.0.0.0/8'],
      ' ::1 , fd00::/8 ': ['::1', 'fd00::/8'],
      'loopback,linklocal,uniquelocal': ['loopback', 'linklocal', 'uniquelocal'],
      '192.0.2.1/32': ['192.0.2.1/32'],
      '2001:db8::/128': ['2001:db8::/128'],
      ',': []
    },
    bad: [
      // Everybody, or so many that a stranger is among them.
      '0.0.0.0/0', '::/0', '0.0.0.0/1', '128.0.0.0/7', '::/7', '127.0.0.1,0.0.0.0/0',
      // IPv4 as IPv6: a prefix below 96 once trusted all of IPv4.
      '::ffff:10.0.0.0/8', '::FFFF:10.0.0.0/104', '::ffff:10.0.0.1', '0:0:0:0:0:ffff:10.0.0.0/8', '0::ffff:a00:0/104', '::0:ffff:10.0.0.1',
      // What other programs understand here.
      'true', 'all', '*', '1', 'localhost', 'proxy.example.org', 'LOOPBACK', '10.0.0.0/255.0.0.0', '10.0.0.0-10.0.0.9',
      '10.0.0.0/33', '::1/129', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1', '10.0.0.0/+8', '10.0.0.0/8.0', '10.0.0', '010.0.0.1', '10.0.0.256', '/8'
    ]
  },
  CORS_ORIGIN: {
    fallback: [],
    good: { 'https://example.org': ['https://example.org'], 'http://localhost:3000, https://a.example:8443': ['http://localhost:3000', 'https://a.example:8443'] },
    bad: ['*', 'null', 'example.org', 'https://example.org/', 'https://example.org/path', 'https://example.org:443', 'https://*.example.org', 'https://user@example.org', 'ftp://example.org', 'file:///', 'https://', 'https://Example.org', 'https://a.example https://b.example']
  },
  RATE_LIMIT_WINDOW: { fallback: 60, ...SECONDS },
  RATE_LIMIT_CREATE: { fallback: 20, ...COUNTS },
  RATE_LIMIT_JOIN: { fallback: 30, ...COUNTS },
  RATE_LIMIT_ANONYMOUS: { fallback: 300, ...COUNTS },
  RATE_LIMIT_TOKEN: { fallback: 12_000, ...COUNTS },
  ADMIN_TOKEN: { fallback: undefined, ...TOKENS },
  RATE_LIMIT_OPERATOR: { fallback: 10, ...COUNTS },
  METRICS_TOKEN: { fallback: undefined, ...TOKENS },
  METRICS_PORT: { fallback: undefined, good: { 0: 0, 9464: 9464 }, bad: ['65536', '-1', 'http'] },
  METRICS_HOST: { fallback: '127.0.0.1', good: { '0.0.0.0': '0.0.0.0', ' ::1 ': '::1' }, bad: [' '] },
  WEBHOOK_URL: {
    fallback: undefined,
    good: {
      'https://example.org/hook?key=1': 'https://example.org/hook?key=1',
      ' https://example.org ': 'https://example.org/',
      'http://localhost:8080/': 'http://localhost:8080/',
      'http://127.0.0.1:9/x': 'http://127.0.0.1:9/x',
      'http://[::1]/': 'http://[::1]/'
    },
    bad: ['http://example.org/', 'http://10.0.0.1/', 'http://127.0.0.1.example.org/', 'http://localhost.example.org/', 'https://user:pass@example.org/', 'https://user@example.org/', 'ftp://example.org/', 'example.org/hook', '//example.org', 'file:///etc/passwd', ' ']
  },
  WEBHOOK_SECRET: { fallback: undefined, ...WEBHOOK_SECRETS },
  WEBHOOK_EVENTS: { fallback: ['join.refused', 'session.locked'], good: { 'session.created, drain.began': ['session.created', 'drain.began'], ',': [] }, bad: ['locked', 'session.*', 'join.refused;session.locked', 'sweep.ended'] }
}

t.test('the table of this test has every variable', (t) => {
  t.same(Object.keys(TABLE).sort(), Object.keys(VARIABLES).sort())
  t.end()
})

for (const [name, { fallback, good, bad }] of Object.entries(TABLE) as Array<[Name, typeof TABLE[Name]]>) {
  t.test(name, (t) => {
    t.same(readConfig({})[name], fallback, 'unless set')
    t.same(read(name, ''), fallback, 'an empty value is none')
    for (const [value, expected] of Object.entries(good)) t.same(read(name, value), expected, JSON.stringify(value))
    for (const value of bad) {
      // One sentence: the variable, and one full stop that nothing follows.
      t.throws(() => readConfig({ [name]: value }), { name: 'ConfigError', message: new RegExp(`^${name} must (?:(?!\\. ).)*\\.$`, 's') }, JSON.stringify(value))
    }
    t.end()
  })
}

t.test('no message repeats a secret', (t) => {
  const secrets = { SESSION_KEY_SECRET: SECRETS.bad, ADMIN_TOKEN: TOKENS.bad, METRICS_TOKEN: TOKENS.bad, WEBHOOK_SECRET: WEBHOOK_SECRETS.bad, WEBHOOK_URL: TABLE.WEBHOOK_URL.bad }
  const cases = Object.entries(secrets).flatMap(([name, values]) => values.filter((value) => value.trim() !== '' && value !== 'whsec_').map((value) => [name, value] as const))
  for (const [name, value] of cases) {
    try {
      readConfig({ ...TOGETHER[name as Name], [name]: value })
      t.fail('it was accepted')
    } catch (error) {
      const told = inspect(error, { depth: 10 })
      t.match(told, name)
      t.notOk(told.includes(value) || told.includes(value.slice(0, 12)), value)
    }
  }
  t.end()
})

t.test('what is derived from another variable', (t) => {
  t.equal(readConfig({ MAX_FILE_SIZE: '2MiB' }).MAX_SESSION_SIZE, 20 * MIB)
  t.equal(readConfig({ MAX_FILE_SIZE: '2MiB', MAX_SESSION_SIZE: '3MiB' }).MAX_SESSION_SIZE, 3 * MIB)
  t.equal(readConfig({ PUBLIC_URL: 'https://example.org/send/' }).BASE_PATH, '/send')
  t.equal(readConfig({ PUBLIC_URL: 'https://example.org/send', BASE_PATH: '/send/' }).BASE_PATH, '/send')
  t.throws(() => readConfig({ PUBLIC_URL: 'https://example.org', BASE_PATH: '/send' }), { name: 'ConfigError', message: /^BASE_PATH must be the path of PUBLIC_URL\.$/ })
  t.match(readConfig({ TLS_CERT_FILE: '/a/cert.pem', TLS_KEY_FILE: '/a/key.pem' }), { TLS_CERT_FILE: '/a/cert.pem', TLS_KEY_FILE: '/a/key.pem' })
  t.end()
})

t.test('production refuses what is unsafe, with a sentence that says what to do', (t) => {
  const tls = { TLS_CERT_FILE: 'c', TLS_KEY_FILE: 'k' }
  const cases: Array<[Record<string, string>, RegExp | undefined]> = [
    [{}, undefined],
    [{ HOST: 'localhost' }, undefined],
    [{ HOST: '::1' }, undefined],
    [{ HOST: '0.0.0.0' }, /^HOST must not be 0\.0\.0\.0 in production without TLS.*TRUST_PROXY/],
    [{ HOST: '::' }, /^HOST must not be :: /],
    [{ HOST: '192.0.2.1' }, /^HOST must not be /],
    [{ HOST: 'files.example.org' }, /^HOST must not be /],
    [{ HOST: '0.0.0.0', ...tls }, undefined],
    [{ HOST: '0.0.0.0', TRUST_PROXY: '172.17.0.1' }, undefined],
    [{ PUBLIC_URL: 'http://files.example.org' }, /^PUBLIC_URL must begin with https:/],
    [{ PUBLIC_URL: 'http://localhost:5000' }, undefined],
    [{ PUBLIC_URL: 'http://[::1]:5000' }, undefined],
    [{ PUBLIC_URL: 'https://files.example.org' }, undefined],
    [{ CORS_ORIGIN: 'https://a.example,http://b.example' }, /^CORS_ORIGIN must list https:.*"http:\/\/b\.example"/],
    [{ CORS_ORIGIN: 'https://a.example,http://127.0.0.1:3000' }, undefined],
    [{ MAX_JOIN_ATTEMPTS: '101' }, /^MAX_JOIN_ATTEMPTS must be at most 100/],
    [{ MAX_JOIN_ATTEMPTS: '100' }, undefined]
  ]
  for (const [settings, expected] of cases) {
    const name = JSON.stringify(settings)
    t.doesNotThrow(() => readConfig(settings), `${name} in development`)
    const read = (): unknown => readConfig({ ...settings, NODE_ENV: 'production' })
    if (expected === undefined) t.doesNotThrow(read, name)
    else t.throws(read, { name: 'ConfigError', message: expected }, name)
  }
  t.end()
})

t.test('what belongs together, and what does not', (t) => {
  t.throws(() => readConfig({ WEBHOOK_URL: 'https://example.org/' }), { message: /^WEBHOOK_SECRET must be set where WEBHOOK_URL is: / })
  t.throws(() => readConfig({ WEBHOOK_SECRET: HEX }), { message: /^WEBHOOK_URL must be set where WEBHOOK_SECRET is\./ })
  t.throws(() => readConfig({ ADMIN_TOKEN: HEX, METRICS_TOKEN: HEX }), { message: /^METRICS_TOKEN must differ from ADMIN_TOKEN: / })
  t.end()
})

t.test('what is no variable of ours is passed over, and nothing is left behind in the environment', (t) => {
  const environment = Object.freeze({ PATH: '/bin', PORT: '80', MAX_FILES: undefined, constructor: 'x' })
  t.same(Object.keys(readConfig(environment)).sort(), Object.keys(VARIABLES).sort())
  t.equal(readConfig(environment).PORT, 80)
  t.end()
})

t.test('of several wrong values one is named at a time', (t) => {
  t.throws(() => readConfig({ PORT: 'x', MAX_FILES: 'y' }), { message: /^PORT .* not "x"\.$/ })
  t.throws(() => readConfig({ MAX_FILES: 'y' }), ConfigError)
  t.end()
})

t.test('every variable is described in one line', (t) => {
  for (const [name, { desc = '' }] of Object.entries(VARIABLES) as Array<[string, { desc?: string }]>) t.match(desc, /^\S[^\n]{10,}[^.\s]$/, name)
  t.end()
})

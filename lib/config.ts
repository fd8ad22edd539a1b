/**
 * Configuration from environment variables. One table (`VARIABLES`) holds name, parser, default and description of each;
 * README.md and .env.example are checked against it. A wrong value stops the start with one sentence that names it.
 */

import { cleanEnv, EnvMissingError, makeValidator, type CleanedEnv } from 'envalid'
import { parseAddressRanges, parseBasePath, parseBucket, parseChoices, parseEndpoint, parseExtensions, parseKeyPrefix, parseMediaTypes, parseOrigins, parsePublicUrl, parseSecret, parseSize, parseToken, parseWebhookSecret, parseWebhookUrl, parseWholeNumber } from './config-values.js'
import type { Bytes } from './crypto/bytes.js'
import { MAX_PLAINTEXT } from './crypto/container.js'
import { parseRedisUrl, type RedisTarget } from './redis/redis-url.js'
import { REPORTED, type ReportedType } from './reports.js'
import { findUnsafe } from './unsafe-settings.js'

const size = makeValidator<number>(parseSize)
const count = makeValidator<number>((input) => parseWholeNumber(input, 1))
const seconds = makeValidator<number>((input) => parseWholeNumber(input, 1, 315_360_000))
const grace = makeValidator<number>((input) => parseWholeNumber(input, 0, 86_400))
const port = makeValidator<number>((input) => parseWholeNumber(input, 0, 65535))
const text = makeValidator<string>((input) => {
  if (input.trim() === '') throw new TypeError('must not be empty')
  return input.trim()
})
const mediaTypes = makeValidator<readonly string[]>(parseMediaTypes)
const extensions = makeValidator<readonly string[]>(parseExtensions)
const origins = makeValidator<readonly string[]>(parseOrigins)
const addresses = makeValidator<readonly string[]>(parseAddressRanges)
const publicUrl = makeValidator<string>(parsePublicUrl)
const basePath = makeValidator<string>(parseBasePath)
const secret = makeValidator<Bytes>(parseSecret)
const token = makeValidator<string>(parseToken)
const redisUrl = makeValidator<RedisTarget>(parseRedisUrl)
const webhookUrl = makeValidator<string>(parseWebhookUrl)
const webhookSecret = makeValidator<Bytes>(parseWebhookSecret)
const reportedTypes = makeValidator<readonly ReportedType[]>((input) => parseChoices(input, REPORTED))
const oneOf = <T extends string>(...choices: readonly T[]) => makeValidator<T>((input) => {
  const chosen = choices.find((choice) => choice === input)
  if (chosen === undefined) throw new TypeError(`must be one of ${choices.join(', ')}`)
  return chosen
})

const flag = makeValidator<boolean>((input) => {
  if (input !== 'true' && input !== 'false') throw new TypeError('must be true or false')
  return input === 'true'
})
const bucket = makeValidator<string>(parseBucket)
const endpoint = makeValidator<string>(parseEndpoint)
const keyPrefix = makeValidator<string>(parseKeyPrefix)

const MIB = 2 ** 20
const GIB = 2 ** 30

/** Every variable the server reads. A default of `undefined` is explained in its description. */
export const VARIABLES = {
  HOST: text({ default: '127.0.0.1', desc: 'Address to listen on; 0.0.0.0 for all' }),
  PORT: port({ default: 5000, desc: 'Port to listen on; 0 picks a free one' }),
  NODE_ENV: oneOf('development', 'production', 'test')({ default: 'development', desc: 'development, production (refuses unsafe settings) or test' }),
  LOG_LEVEL: oneOf('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent')({ default: 'info', desc: 'fatal, error, warn, info, debug, trace; audit lines are written at each of them; or silent' }),

  PUBLIC_URL: publicUrl({ default: undefined, desc: 'Where people reach the server, with the path if it has one: https://files.example.org; as requests say unless set' }),
  BASE_PATH: basePath({ default: undefined, desc: 'Path before all of this server\'s own, whether a proxy takes it away or not: /send; that of PUBLIC_URL unless set' }),
  TLS_CERT_FILE: text({ default: undefined, desc: 'Certificate with its chain, PEM, for HTTPS without a proxy; a renewed one is taken without a restart' }),
  TLS_KEY_FILE: text({ default: undefined, desc: 'Private key of that certificate, PEM' }),
  WORKERS: count({ default: 1, desc: 'Processes that serve, one for each core at best; more than one needs SESSION_STORE=redis' }),
  SHUTDOWN_GRACE: grace({ default: 30, desc: 'Seconds that transfers under way have left when the server is told to stop' }),

  MAX_FILE_SIZE: size({ default: 104_857_600, desc: 'Largest file; bytes, or a number with a unit: 500MB, 10GiB' }),
  MAX_SESSION_SIZE: size({ default: undefined, desc: 'All files of one session together; ten times MAX_FILE_SIZE unless set' }),
  MAX_STORAGE: size({ default: undefined, desc: 'All files of all sessions together; only the disk limits it unless set' }),
  MIN_FREE_SPACE: size({ default: 512 * MIB, desc: 'Disk space that uploads leave free' }),
  MAX_FILES: count({ default: 10_000, desc: 'Files of one session' }),
  UPLOAD_FOLDER: text({ default: './uploads', desc: 'Folder for the encrypted files; the server uses a subfolder of its own in it' }),
  ALLOWED_TYPES: mediaTypes({ default: [], desc: 'Accepted media types, comma-separated, as found in the content: image/*,application/pdf; all unless set' }),
  ALLOWED_EXTENSIONS: extensions({ default: [], desc: 'Accepted file name extensions, comma-separated: pdf,tar.gz; all unless set' }),
  STREAM_MEMORY: size({ default: 256 * MIB, desc: 'Memory for the chunks in flight of all transfers together' }),

  BLOB_STORE: oneOf('disk', 's3')({ default: 'disk', desc: 'Where encrypted files are kept: disk (in UPLOAD_FOLDER) or s3 (object storage; credentials as the AWS SDK finds them: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role)' }),
  S3_BUCKET: bucket({ default: undefined, desc: 'Bucket for the encrypted files' }),
  S3_ENDPOINT: endpoint({ default: undefined, desc: 'Address of the object storage: https://s3.example.org; Amazon\'s own unless set' }),
  S3_REGION: text({ default: 'us-east-1', desc: 'Region of the bucket' }),
  S3_FORCE_PATH_STYLE: flag({ default: false, desc: 'true where the bucket stands in the path, not in the host name, as with most storage that is not Amazon\'s' }),
  S3_PREFIX: keyPrefix({ default: undefined, desc: 'What the names of all objects begin with: transfers/; needed where others use the bucket too' }),
  S3_CHECKSUMS: oneOf('crc32', 'sha256', 'none')({ default: 'crc32', desc: 'Checksum that the object storage is sent with every request that stores: crc32, sha256, or none where it does not know them' }),
  S3_PART_SIZE: size({ default: 8 * MIB, desc: 'Bytes that are sent in one request; a larger blob is stored by a multipart upload. 5MiB to 1GiB' }),
  S3_MEMORY: size({ default: 256 * MIB, desc: 'Memory for what is being sent to the object storage, of all uploads together: each has at least one part of S3_PART_SIZE, or waits' }),

  IDLE_TIMEOUT: seconds({ default: 120, desc: 'Seconds in which an upload must bring 16 KiB; it can be resumed otherwise. A connection without a byte is closed after twice that' }),
  SESSION_TIMEOUT: seconds({ default: 3600, desc: 'Seconds after the last request or transferred byte until a session ends' }),
  MAX_SESSION_AGE: seconds({ default: 604_800, desc: 'Seconds after which a session ends in any case' }),
  MAX_SESSIONS: count({ default: 10_000, desc: 'Sessions at one time' }),
  MAX_JOINERS: count({ default: 20, desc: 'Largest max_joiners that a creator may ask for' }),
  MAX_JOIN_ATTEMPTS: count({ default: 5, desc: 'Failed join attempts until a session is locked' }),

  SESSION_STORE: oneOf('embedded', 'memory', 'redis')({ default: 'embedded', desc: 'Where sessions are kept: embedded (a database in UPLOAD_FOLDER; needs SESSION_KEY_SECRET to outlive the process), memory, or redis (for several instances; needs SESSION_KEY_SECRET)' }),
  REDIS_URL: redisUrl({ default: undefined, desc: 'Where Redis is: redis://, or with TLS rediss://, then user:password@host:port/database; redis+sentinel:// and redis+cluster:// with several hosts' }),
  SESSION_KEY_SECRET: secret({ default: undefined, desc: 'What stored sessions are sealed under: 32 random bytes or more in hex or base64, as from openssl rand -hex 32; sessions end with the process unless set' }),
  SESSION_KEY_SECRET_PREVIOUS: secret({ default: undefined, desc: 'Another secret that stored sessions may be sealed under, while SESSION_KEY_SECRET is being changed' }),

  TRUST_PROXY: addresses({ default: [], desc: 'Addresses or ranges of the reverse proxies whose X-Forwarded-* headers count: 127.0.0.1,10.0.0.0/8; none unless set' }),
  CORS_ORIGIN: origins({ default: [], desc: 'Other origins whose pages may call the API (with a token, never by cookie), comma-separated; none unless set' }),
  RATE_LIMIT_WINDOW: seconds({ default: 60, desc: 'Seconds over which requests are counted' }),
  RATE_LIMIT_CREATE: count({ default: 20, desc: 'Sessions created in a window from one address' }),
  RATE_LIMIT_JOIN: count({ default: 30, desc: 'Joins and confirmations in a window from one address' }),
  RATE_LIMIT_ANONYMOUS: count({ default: 300, desc: 'Other requests without a valid token in a window from one address' }),
  RATE_LIMIT_TOKEN: count({ default: 12_000, desc: 'Requests in a window with one token' }),

  ADMIN_TOKEN: token({ default: undefined, desc: 'Opens /api/admin to its bearer: 24 random characters or more, as from openssl rand -hex 32; there is no such path unless set' }),
  RATE_LIMIT_OPERATOR: count({ default: 10, desc: 'Wrong ADMIN_TOKENs and METRICS_TOKENs in a window from one address' }),
  METRICS_TOKEN: token({ default: undefined, desc: 'Opens /metrics to its bearer, on PORT unless METRICS_PORT is set; 24 random characters or more' }),
  METRICS_PORT: port({ default: undefined, desc: 'Port of its own for /metrics; there are no metrics unless this or METRICS_TOKEN is set' }),
  METRICS_HOST: text({ default: '127.0.0.1', desc: 'Address that METRICS_PORT is on' }),
  WEBHOOK_URL: webhookUrl({ default: undefined, desc: 'Address that what happens is posted to, signed: https, or http on this machine; nothing is posted unless set' }),
  WEBHOOK_SECRET: webhookSecret({ default: undefined, desc: 'What the webhook is signed under: 24 to 64 random bytes in base64, as from openssl rand -base64 32' }),
  WEBHOOK_EVENTS: reportedTypes({ default: ['join.refused', 'session.locked'], desc: `What is posted, comma-separated: ${REPORTED.join(', ')}` })
}

type Environment = CleanedEnv<typeof VARIABLES>

/** The settings of one server: the variables, with the derived defaults filled in. */
export type Config = Readonly<Omit<Environment, 'MAX_SESSION_SIZE' | 'MAX_STORAGE' | 'BASE_PATH'>> & {
  readonly MAX_SESSION_SIZE: number
  readonly MAX_STORAGE: number
  /** Without a slash at its end; empty where the server has all of its host. */
  readonly BASE_PATH: string
}

/** A setting that cannot be used. Its message is one sentence that names the variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/**
 * Reads the configuration.
 *
 * @param env - the environment, `process.env` in a real server; an empty value counts as not set
 * @throws {@link ConfigError} for the first value that cannot be used
 */
export function readConfig (env: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
  const parsed = { ...cleanEnv(given, VARIABLES, { reporter: ({ errors }) => refuse(errors) }) }
  const config = {
    ...parsed,
    MAX_SESSION_SIZE: parsed.MAX_SESSION_SIZE ?? parsed.MAX_FILE_SIZE * 10,
    MAX_STORAGE: parsed.MAX_STORAGE ?? Number.POSITIVE_INFINITY,
    BASE_PATH: parsed.BASE_PATH ?? pathOf(parsed.PUBLIC_URL)
  }
  if (config.MAX_FILE_SIZE > MAX_PLAINTEXT) throw new ConfigError('MAX_FILE_SIZE must be at most 1TiB: an encrypted file holds no more.')
  if (config.ADMIN_TOKEN !== undefined && config.ADMIN_TOKEN === config.METRICS_TOKEN) throw new ConfigError('METRICS_TOKEN must differ from ADMIN_TOKEN: whoever reads metrics is not to close sessions.')
  if (config.WEBHOOK_URL !== undefined && config.WEBHOOK_SECRET === undefined) throw new ConfigError('WEBHOOK_SECRET must be set where WEBHOOK_URL is: the receiver has to know who posts.')
  if (config.WEBHOOK_URL === undefined && config.WEBHOOK_SECRET !== undefined) throw new ConfigError('WEBHOOK_URL must be set where WEBHOOK_SECRET is.')
  if (config.SESSION_STORE === 'redis' && config.REDIS_URL === undefined) throw new ConfigError('REDIS_URL must be set where SESSION_STORE is redis.')
  if (config.SESSION_STORE === 'redis' && config.SESSION_KEY_SECRET === undefined) throw new ConfigError('SESSION_KEY_SECRET must be set where SESSION_STORE is redis, and the same in every instance: all that is kept there is sealed under it.')
  if (config.WORKERS > 1 && config.SESSION_STORE !== 'redis') throw new ConfigError('WORKERS must be 1 unless SESSION_STORE is redis: each process would have sessions of its own.')
  if (config.SESSION_KEY_SECRET_PREVIOUS !== undefined && config.SESSION_KEY_SECRET === undefined) throw new ConfigError('SESSION_KEY_SECRET must be set where SESSION_KEY_SECRET_PREVIOUS is.')
  if (config.STREAM_MEMORY < MIB) throw new ConfigError('STREAM_MEMORY must be at least 1MiB: one transfer needs that much.')
  if (config.BLOB_STORE === 's3' && config.S3_BUCKET === undefined) throw new ConfigError('S3_BUCKET must be set where BLOB_STORE is s3.')
  if (config.S3_PART_SIZE < 5 * MIB || config.S3_PART_SIZE > GIB) throw new ConfigError('S3_PART_SIZE must be from 5MiB to 1GiB: object storage takes no smaller part.')
  if (config.S3_MEMORY < config.S3_PART_SIZE) throw new ConfigError('S3_MEMORY must be at least S3_PART_SIZE: one upload needs that much.')
  if (config.TLS_CERT_FILE !== undefined && config.TLS_KEY_FILE === undefined) throw new ConfigError('TLS_CERT_FILE must be set together with TLS_KEY_FILE.')
  if (config.TLS_KEY_FILE !== undefined && config.TLS_CERT_FILE === undefined) throw new ConfigError('TLS_KEY_FILE must be set together with TLS_CERT_FILE.')
  if (config.PUBLIC_URL !== undefined && config.BASE_PATH !== pathOf(config.PUBLIC_URL)) throw new ConfigError('BASE_PATH must be the path of PUBLIC_URL.')
  const unsafe = config.NODE_ENV === 'production' ? findUnsafe(config) : undefined
  if (unsafe !== undefined) throw new ConfigError(unsafe)
  return config
}

const pathOf = (url: string | undefined): string => url === undefined ? '' : new URL(url).pathname.replace(/\/$/, '')

function refuse (errors: Readonly<Partial<Record<string, Error>>>): void {
  for (const [name, error] of Object.entries(errors)) {
    if (error === undefined) continue
    throw new ConfigError(error instanceof EnvMissingError ? `${name} must be set.` : `${name} ${error.message}.`)
  }
}

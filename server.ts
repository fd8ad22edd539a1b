import cluster from 'node:cluster'
import { existsSync } from 'node:fs'
import closeWithGrace, { type Signals } from 'close-with-grace'
import { buildApp } from './app.js'
import { ConfigError, readConfig, type Config } from './lib/config.js'
import { FolderUnusableError } from './lib/files/folder-lock.js'
import { tellServing } from './lib/across-workers.js'
import { superviseWorkers } from './workers.js'

/** Milliseconds that closing may take behind SHUTDOWN_GRACE, before the process ends all the same. */
const CLOSE_DELAY = 10_000
/** Connections that may wait to be accepted, as far as the system lets them: with Node's 511, a crowd of clients meets resets. */
const BACKLOG = 4096
/** Milliseconds in which a process that could not start ends by itself. */
const EXIT_DELAY = 500
/** At level trace, @fastify/multipart logs the headers of every upload; and errors of Node's parser carry the bytes that are not HTTP. */
const REDACTED = ['busboyOptions.headers', 'err.rawPacket']
const PRETTY = { transport: { target: 'pino-pretty', options: { ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss' } } }

try {
  if (existsSync('.env')) process.loadEnvFile('.env')
  const config = readConfig(process.env)
  if (config.WORKERS > 1 && cluster.isPrimary) await superviseWorkers(config.WORKERS)
  else await serve(config)
} catch (error) {
  // What the operator can mend is said in one sentence; anything else is a fault of the program and shows where.
  const mendable = error instanceof ConfigError || error instanceof FolderUnusableError
  process.stderr.write(`local-send cannot start: ${mendable ? error.message : String(error instanceof Error ? error.stack : error)}\n`)
  process.exitCode = 1
  // What was opened before it failed, a connection to Redis for example, must not keep the process.
  setTimeout(() => { process.exit() }, EXIT_DELAY).unref()
}

async function serve (config: Config): Promise<void> {
  const app = await buildApp(config, { logger: { level: config.LOG_LEVEL, redact: REDACTED, ...(forPeople(config) && PRETTY) } })
  try {
    await app.listen({ host: config.HOST, port: config.PORT, backlog: BACKLOG })
    tellServing()
  } catch (error) {
    await app.close()
    throw listenFailure(error, config)
  }
  // Ctrl-C reaches workers, too; for them the supervisor's signal counts.
  const skip: Signals[] = cluster.isWorker ? ['SIGINT'] : []
  if (cluster.isWorker) process.on('SIGINT', () => {})
  closeWithGrace({ delay: config.SHUTDOWN_GRACE * 1000 + CLOSE_DELAY, logger: app.log, skip }, async ({ signal, err }) => {
    if (err !== undefined) app.log.error({ err }, 'stopping after an error that nobody handled')
    else app.log.info({ signal }, 'stopping; a second signal stops at once')
    await app.close()
  })
}

/** Whether a developer reads the log. An installation for production does not have the package for that. */
function forPeople ({ NODE_ENV }: Config): boolean {
  if (NODE_ENV !== 'development' || !process.stdout.isTTY) return false
  try {
    return import.meta.resolve('pino-pretty') !== ''
  } catch {
    return false
  }
}

/** What the system says of an address, by the setting that names it. */
function listenFailure (error: unknown, { HOST, PORT, METRICS_HOST, METRICS_PORT }: Config): unknown {
  if (!(error instanceof Error) || !('code' in error)) return error
  const prefix = 'port' in error && error.port !== PORT ? 'METRICS_' : ''
  const [host, port] = prefix === '' ? [HOST, PORT] : [METRICS_HOST, METRICS_PORT]
  switch (error.code) {
    case 'EADDRINUSE': return new ConfigError(`${prefix}PORT: another program listens at port ${port} of ${host}. Stop it, or choose another port.`, { cause: error })
    case 'EACCES': return new ConfigError(`${prefix}PORT: this account may not listen at port ${port}. Choose one above 1023.`, { cause: error })
    case 'EADDRNOTAVAIL': case 'ENOTFOUND': return new ConfigError(`${prefix}HOST: this machine has no address ${host}.`, { cause: error })
    default: return error
  }
}

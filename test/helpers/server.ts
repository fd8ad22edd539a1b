import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { buildApp, type AppOptions } from '../../app.js'
import { readConfig } from '../../lib/config.js'

/** A folder that is gone when the test ends. */
export async function temporaryFolder (t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'local-send-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface TestServer {
  readonly app: FastifyInstance
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  /** UPLOAD_FOLDER */
  readonly folder: string
}

/** Settings under which no test meets a rate limit by accident, or waits for a database, or an end, that it is not about. */
const ENVIRONMENT = {
  NODE_ENV: 'test',
  SESSION_STORE: 'memory',
  MAX_FILE_SIZE: '64MiB',
  MIN_FREE_SPACE: '1MB',
  SHUTDOWN_GRACE: '0',
  RATE_LIMIT_CREATE: '10000',
  RATE_LIMIT_JOIN: '10000',
  RATE_LIMIT_ANONYMOUS: '100000',
  RATE_LIMIT_TOKEN: '100000'
}

/** A server in this process that listens on a free port of the loopback interface; it closes with the test. */
export async function startServer (t: Test, environment: Record<string, string> = {}, options: AppOptions = {}): Promise<TestServer> {
  const folder = environment['UPLOAD_FOLDER'] ?? await temporaryFolder(t)
  const app = await buildApp(readConfig({ ...ENVIRONMENT, UPLOAD_FOLDER: folder, ...environment }), options)
  t.teardown(() => app.close())
  const origin = await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, origin, folder }
}

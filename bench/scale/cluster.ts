import { randomBytes } from 'node:crypto'
import { access, constants, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { startFlags } from '../../test/helpers/project.js'
import { freePort, startServer, startSilentServer, type Server } from '../process.js'

/** Where Debian's package puts it. */
const REDIS = '/usr/bin/redis-server'
const SERVER = join(import.meta.dirname, '..', '..', 'dist', 'server.js')
const MANY = '1000000000'

/** Instances with one Redis and one folder. */
export interface Cluster {
  readonly instances: readonly Server[]
  readonly redis: Redis
  /** Sessions whose creator is the bench. They are made in turn at each instance. */
  readonly createSessions: (count: number, options?: object) => Promise<readonly BenchSession[]>
  readonly stop: () => Promise<void>
}

export interface BenchSession {
  readonly id: string
  readonly code: string
  readonly token: string
}

export const PASSWORD = 'absent-mango-river'

/** @throws Error where there is no Redis */
export async function startRedis (folder: string): Promise<{ readonly server: Server, readonly url: string }> {
  await access(REDIS, constants.X_OK).catch(() => { throw new Error(`The scale benchmark needs Redis, which this machine does not have at ${REDIS}.`) })
  await mkdir(folder, { recursive: true })
  const port = await freePort()
  const server = await startSilentServer({ name: 'Redis', command: REDIS, args: ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--save', ''], cwd: folder, env: {} }, port)
  return { server, url: `redis://127.0.0.1:${port}` }
}

/** @param folder - is made */
export async function startCluster (folder: string, count: number): Promise<Cluster> {
  const { server: redisServer, url } = await startRedis(join(folder, 'redis'))
  const uploads = join(folder, 'uploads')
  await mkdir(uploads)
  const env = {
    HOST: '127.0.0.1',
    PORT: '0',
    UPLOAD_FOLDER: uploads,
    MAX_FILE_SIZE: '1TiB',
    SESSION_STORE: 'redis',
    REDIS_URL: url,
    SESSION_KEY_SECRET: randomBytes(32).toString('hex'),
    LOG_LEVEL: 'warn',
    ...Object.fromEntries(['CREATE', 'JOIN', 'ANONYMOUS', 'TOKEN'].map((name) => [`RATE_LIMIT_${name}`, MANY]))
  }
  // Their first line says where they listen, and is of level info.
  const instances = await Promise.all(Array.from({ length: count }, () => startServer({ name: 'Local Send', args: [...startFlags(), SERVER], cwd: folder, env: { ...env, LOG_LEVEL: 'info' } })))
  const redis = new Redis(url)
  return {
    instances,
    redis,
    createSessions: async (sessions, options = {}) => {
      const created: BenchSession[] = []
      for (let i = 0; i < sessions; i++) created.push(await createSession(instances[i % count]?.origin ?? '', options))
      return created
    },
    stop: async () => {
      redis.disconnect()
      await Promise.all(instances.map((instance) => instance.stop()))
      await redisServer.stop()
    }
  }
}

async function createSession (origin: string, options: object): Promise<BenchSession> {
  const answer = await post(`${origin}/api/session/create`, undefined, { password: PASSWORD, ...options })
  return { id: String(answer['session_id']), code: String(answer['verification_code']), token: String(answer['token']) }
}

/** A POST whose answer is JSON. @throws Error unless its status is 2xx */
export async function post (url: string, token: string | undefined, body: object): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify(body)
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`POST ${new URL(url).pathname} was answered with ${response.status} ${text}`)
  return JSON.parse(text) as Record<string, unknown>
}

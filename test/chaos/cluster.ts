import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { call } from '../helpers/client.js'
import { startFaults, type FaultyProxy } from '../helpers/faults.js'
import { sharedSettings } from '../helpers/instances.js'
import { freePort, startNginx } from '../helpers/nginx.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { TestRedis } from '../helpers/redis.js'
import { insist } from '../helpers/restart.js'
import { environmentFor, startS3, type S3Server } from '../helpers/s3.js'

/** One of several instances. It has the same address whenever it runs. */
export interface Instance {
  readonly origin: string
  /** Starts it again when it has ended. */
  readonly start: () => Promise<void>
  readonly signal: (signal: NodeJS.Signals) => void
  /** Resolves when the process has ended. */
  readonly ended: () => Promise<number | NodeJS.Signals>
}

/** Three instances behind nginx, with one Redis and one object storage whose requests can be made to fail. */
export interface Cluster {
  /** Of nginx, which asks any of them. */
  readonly origin: string
  readonly instances: readonly [Instance, Instance, Instance]
  readonly redis: TestRedis
  readonly s3: S3Server
  readonly storage: FaultyProxy
  /** Everything that the instances wrote. */
  readonly output: () => string
}

/** @param environment - settings besides those that the instances share */
export async function startCluster (t: Test, environment: Record<string, string> = {}): Promise<Cluster> {
  const [redis, s3] = await Promise.all([TestRedis.start(t), startS3(t)])
  const storage = await startFaults(t, s3.endpoint)
  const settings = await sharedSettings(t, redis, {
    ...s3.environment,
    ...environmentFor(storage.origin),
    SHUTDOWN_GRACE: '2',
    RATE_LIMIT_TOKEN: '1000000',
    TRUST_PROXY: '127.0.0.1',
    ...environment
  })
  const processes: ServerProcess[] = []
  const instances = await Promise.all([startInstance(t, settings, processes), startInstance(t, settings, processes), startInstance(t, settings, processes)])
  const origin = await startNginx(t, [instances[0].origin, instances[1].origin, instances[2].origin])
  return { origin, instances, redis, s3, storage, output: () => processes.map(({ output }) => output()).join('\n') }
}

async function startInstance (t: Test, settings: Record<string, string>, processes: ServerProcess[]): Promise<Instance> {
  const environment = { ...settings, PORT: String(await freePort()) }
  const begin = async (): Promise<ServerProcess> => {
    const server = await spawnServer(t, environment)
    processes.push(server)
    return server
  }
  let server = await begin()
  if (server.origin === '') throw new Error(`an instance does not start: ${server.output()}`)
  const { origin } = server
  return {
    origin,
    // Whoever runs it starts it again until it stays: while Redis or the storage is away, it does not.
    start: async () => {
      do {
        server = await begin()
        if (server.origin === '') await delay(500)
      } while (server.origin === '')
      await insist(async () => { if ((await call(`${origin}/health/ready`)).status !== 200) throw new Error('it is not ready') })
    },
    signal: (signal) => { server.child.kill(signal) },
    ended: () => server.exit
  }
}

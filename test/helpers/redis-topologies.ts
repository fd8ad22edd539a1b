import { execFile, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import type { Test } from 'tap'
import { eventually } from './events.js'
import { freePort } from './nginx.js'
import { TestRedis } from './redis.js'
import { temporaryFolder } from './server.js'
import { REDIS } from './services.js'

const run = promisify(execFile)
const MASTER = 'themaster'
const SENTINELS = 3
const NODES = 6

/** One command to one server, by a connection of its own. */
export async function tell (port: number, command: string, ...args: Array<string | number>): Promise<string> {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 })
  client.on('error', () => {})
  try {
    await client.connect()
    return String(await client.call(command, args))
  } finally {
    client.disconnect()
  }
}

/** Whether it answers so; not while it does not answer, or closes its connections, as one does that becomes a replica. */
export const answers = async (port: number, expected: string, command: string, ...args: string[]): Promise<boolean> => await tell(port, command, ...args).then((answer) => answer.includes(expected), () => false)

/** What Redis comes to in its own time. */
export const until = (holds: () => Promise<boolean>): Promise<void> => eventually(holds, 50)

/** A master with a replica, and three Sentinels, two of whom must agree. */
export async function startSentinels (t: Test): Promise<{ readonly url: string, readonly master: TestRedis, readonly replica: TestRedis }> {
  const master = await TestRedis.start(t)
  const replica = await TestRedis.start(t, '--replicaof', '127.0.0.1', String(master.port), '--repl-diskless-sync-delay', '0')
  await until(() => answers(replica.port, 'master_link_status:up', 'info', 'replication'))
  const ports: number[] = []
  while (ports.length < SENTINELS) {
    const [port, folder] = [await freePort(), await temporaryFolder(t)]
    const path = join(folder, 'sentinel.conf')
    await writeFile(path, [
      `port ${port}`, 'bind 127.0.0.1', `dir ${folder}`, `sentinel monitor ${MASTER} 127.0.0.1 ${master.port} 2`,
      `sentinel down-after-milliseconds ${MASTER} 500`, `sentinel failover-timeout ${MASTER} 3000`
    ].join('\n'))
    const sentinel = spawn(REDIS, [path, '--sentinel'], { stdio: 'ignore' })
    t.teardown(() => sentinel.kill('SIGKILL'))
    ports.push(port)
  }
  for (const port of ports) {
    await until(() => answers(port, `OK ${SENTINELS} usable`, 'sentinel', 'ckquorum', MASTER))
    await until(() => answers(port, String(replica.port), 'sentinel', 'replicas', MASTER))
  }
  return { url: `redis+sentinel://${ports.map((port) => `127.0.0.1:${port}`).join(',')}/${MASTER}`, master, replica }
}

export interface TestCluster {
  readonly url: string
  /** Three masters, then a replica of each; who is what changes. */
  readonly nodes: readonly TestRedis[]
}

/** A cluster of three masters, each with a replica. */
export async function startCluster (t: Test): Promise<TestCluster> {
  const nodes: TestRedis[] = []
  while (nodes.length < NODES) {
    nodes.push(await TestRedis.start(t, '--cluster-enabled', 'yes', '--cluster-port', String(await freePort()), '--cluster-node-timeout', '1000', '--repl-diskless-sync-delay', '0'))
  }
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await run('redis-cli', ['--cluster', 'create', ...hosts, '--cluster-replicas', '1', '--cluster-yes'])
  for (const { port } of nodes) {
    await until(() => answers(port, 'cluster_state:ok', 'cluster', 'info'))
    await until(async () => await answers(port, 'role:master', 'info', 'replication') || await answers(port, 'master_link_status:up', 'info', 'replication'))
  }
  return { url: `redis+cluster://${hosts.slice(0, 3).join(',')}`, nodes }
}

/** Moves so many slots of one master to another one, while it serves; all nodes have heard of it when this resolves. */
export async function moveSlots ({ nodes }: TestCluster, from: TestRedis, to: TestRedis, count: number): Promise<void> {
  const entry = `127.0.0.1:${nodes[0]?.port ?? 0}`
  const id = (node: TestRedis): Promise<string> => tell(node.port, 'cluster', 'myid')
  await run('redis-cli', ['--cluster', 'reshard', entry, '--cluster-from', await id(from), '--cluster-to', await id(to), '--cluster-slots', String(count), '--cluster-yes'])
  await until(() => run('redis-cli', ['--cluster', 'check', entry]).then(() => true, () => false))
}

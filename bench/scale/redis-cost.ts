import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Report } from '../table.js'
import type { Task } from '../task.js'
import { PASSWORD, post, startCluster, type Cluster } from './cluster.js'

const INSTANCES = 3
/** Seconds in which instances do nothing but what they do by themselves. */
const IDLE = 60
const TRANSFERS = 40
const SIZE = 8 * 2 ** 20
/** Of one core: beyond that, whoever waits for Redis waits noticeably. */
const FULL = 0.7
/** How many instances the model is asked about. */
const ASKED = [3, 100, 1000]

interface Cost {
  readonly commands: number
  /** Of Redis, in commands and around them. */
  readonly cpuSeconds: number
}

/** What instances cost Redis, the one part that all of them share; and what follows from that for many. */
export async function benchRedisCost ({ folder }: Task): Promise<Report> {
  const alone = await startIdle(folder, 1)
  await alone.cluster.stop()
  const { cluster, cost: idle } = await startIdle(folder, INSTANCES)
  const begunAt = performance.now()
  process.stderr.write(`scale: ${TRANSFERS} transfers\n`)
  const busy = await costOf(cluster, async () => {
    for (let i = 0; i < TRANSFERS; i++) await transfer(cluster, i)
  })
  const elapsed = (performance.now() - begunAt) / 1000
  await cluster.stop()
  // Redis is never quite idle by itself: an instance costs what more of them cost more.
  const perInstance = (idle.cpuSeconds - alone.cost.cpuSeconds) / IDLE / (INSTANCES - 1)
  const perTransfer = (busy.cpuSeconds - idle.cpuSeconds / IDLE * elapsed) / TRANSFERS
  const model = ASKED.map((count) => {
    const left = FULL - count * perInstance
    return [`${count} instances: share of Redis's core while idle; transfers a second at ${FULL}`, `${(100 * count * perInstance).toFixed(1)} %; ${left > 0 ? (left / perTransfer).toFixed(0) : 'none'}`]
  })
  return {
    title: 'What Redis has to do, and how many instances one Redis can serve',
    columns: ['what', 'measured, or by the model'],
    rows: [
      ['an idle instance: commands a second', ((idle.commands - alone.cost.commands) / IDLE / (INSTANCES - 1)).toFixed(2)],
      ['an idle instance: CPU of Redis, ms a second', (1000 * perInstance).toFixed(3)],
      [`a transfer (create, join, ${SIZE / 2 ** 20} MiB up and down, close): commands`, ((busy.commands - idle.commands / IDLE * elapsed) / TRANSFERS).toFixed(0)],
      ['a transfer: CPU of Redis, ms', (1000 * perTransfer).toFixed(2)],
      ...model
    ],
    notes: ['The model takes the cost of an idle instance and of a transfer as constant. What grows with the number of instances beside them, the end of a session told to all of them, is in neither figure as far as it exceeds three instances.'],
    marks: [],
    figures: { alone: alone.cost, idle, busy, elapsed, perInstance, perTransfer }
  }
}

/** Instances that have served one transfer and do nothing more, and what that costs. */
async function startIdle (folder: string, count: number): Promise<{ readonly cluster: Cluster, readonly cost: Cost }> {
  const place = join(folder, `redis-cost-${count}`)
  await mkdir(place)
  const cluster = await startCluster(place, count)
  await transfer(cluster, 0)
  process.stderr.write(`scale: idle for ${IDLE} seconds, instances: ${count}\n`)
  return { cluster, cost: await costOf(cluster, () => delay(1000 * IDLE)) }
}

async function costOf ({ redis }: Cluster, action: () => Promise<unknown>): Promise<Cost> {
  const before = await countersOf(redis)
  await action()
  const after = await countersOf(redis)
  return { commands: after.commands - before.commands, cpuSeconds: after.cpuSeconds - before.cpuSeconds }
}

async function countersOf (redis: Cluster['redis']): Promise<Cost> {
  const info = await redis.info()
  const value = (name: string): number => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1])
  return { commands: value('total_commands_processed'), cpuSeconds: value('used_cpu_sys') + value('used_cpu_user') }
}

/** A whole transfer, each step at another instance. */
async function transfer ({ instances, createSessions }: Cluster, i: number): Promise<void> {
  const at = (step: number): string => instances[(i + step) % instances.length]?.origin ?? ''
  const [session] = await createSessions(1)
  if (session === undefined) throw new Error('a session was made')
  const { id, code, token } = session
  const joined = await post(`${at(1)}/api/session/${id}/join`, undefined, { verification_code: code, password: PASSWORD })
  const upload = await fetch(`${at(2)}/api/session/${id}/files/bench.bin`, { method: 'PUT', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' }, body: new Uint8Array(SIZE) })
  const { files } = await upload.json() as { files: Array<{ file_id: string }> }
  const download = await fetch(`${at(0)}/api/session/${id}/download/${files[0]?.file_id ?? ''}`, { headers: { authorization: `Bearer ${String(joined['token'])}` } })
  if ((await download.arrayBuffer()).byteLength !== SIZE) throw new Error('what was downloaded is not what was uploaded')
  await post(`${at(1)}/api/session/${id}/close`, token, {})
}

import { readFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { transform } from 'esbuild'
import { extent, median, type Report } from '../table.js'
import type { Task } from '../task.js'
import { watch } from '../watched.js'
import { post, startCluster, type BenchSession, type Cluster } from './cluster.js'
import { percentile, probeHealth } from './latency.js'

const INSTANCES = [1, 2, 3]
const CONCURRENT = [1, 10, 100, 500]
/** Sessions that the uploads are spread over, at most. */
const SESSIONS = 20

interface Sample {
  readonly bytesPerSecond: number
  /** Milliseconds of every look at /health meanwhile. */
  readonly health: readonly number[]
}

interface Row {
  readonly instances: number
  readonly concurrent: number
  readonly samples: Sample[]
  /** Bytes: the largest of one instance. */
  peakMemory: number
}

/** The same bytes in 1 to 500 uploads at once, to one, two and three instances. */
export async function benchThroughput ({ folder, size, runs }: Task): Promise<Report> {
  const clusters = await Promise.all(INSTANCES.map(async (count) => {
    const place = join(folder, `cluster-${count}`)
    await mkdir(place)
    return await startCluster(place, count)
  }))
  const load = await loadProgram()
  const rows = CONCURRENT.flatMap((concurrent) => INSTANCES.map((instances): Row => ({ instances, concurrent, samples: [], peakMemory: 0 })))
  for (let round = 0; round <= runs; round++) {
    for (const row of rows) {
      const cluster = clusters[row.instances - 1]
      if (cluster === undefined) continue
      process.stderr.write(`scale: ${round === 0 ? 'warming up' : `run ${round} of ${runs}`}, ${row.concurrent} at once, instances: ${row.instances}\n`)
      const sample = await measure(cluster, load, row.concurrent, size)
      if (round > 0) row.samples.push(sample)
      // Later rounds find what more uploads at once have left: the system gets little of that back.
      else row.peakMemory = Math.max(...cluster.instances.map((instance) => instance.peakMemory()))
    }
  }
  for (const cluster of clusters) await cluster.stop()
  return report(rows, size, runs)
}

async function measure (cluster: Cluster, load: string, concurrent: number, size: number): Promise<Sample> {
  const { instances } = cluster
  const sessions = await cluster.createSessions(Math.min(concurrent, SESSIONS))
  const targets = Array.from({ length: concurrent }, (_, i) => {
    const { id = '', token = '' } = sessions[i % sessions.length] ?? {}
    return { url: `${instances[i % instances.length]?.origin ?? ''}/api/session/${id}/files/${i}.bin`, token }
  })
  const probe = probeHealth(instances[0]?.origin ?? '')
  const perUpload = Math.ceil(size / concurrent)
  const { stdout, ended } = watch({ command: process.execPath, args: ['--input-type=module', '--eval', load], cwd: import.meta.dirname, env: { TASK: JSON.stringify({ targets, size: perUpload }) } })
  const [said] = await Promise.all([text(stdout), ended])
  const health = await probe.stop()
  const { seconds } = JSON.parse(said) as { seconds: number }
  await close(cluster, sessions)
  return { bytesPerSecond: perUpload * concurrent / seconds, health }
}

async function close ({ instances }: Cluster, sessions: readonly BenchSession[]): Promise<void> {
  for (const { id, token } of sessions) await post(`${instances[0]?.origin ?? ''}/api/session/${id}/close`, token, {})
}

async function loadProgram (): Promise<string> {
  const { code } = await transform(await readFile(join(import.meta.dirname, 'load.ts'), 'utf8'), { loader: 'ts', format: 'esm', target: 'node20' })
  return code
}

function report (rows: readonly Row[], size: number, runs: number): Report {
  return {
    title: `Uploads at once, ${(size / 2 ** 20).toFixed(0)} MiB in all, runs: ${runs}`,
    columns: ['uploads at once', 'instances', 'MB/s, median', 'min–max', 'peak MB of one instance', '/health meanwhile, ms: median', '99 %'],
    rows: rows.map(({ instances, concurrent, samples, peakMemory }) => {
      const rates = samples.map(({ bytesPerSecond }) => bytesPerSecond)
      const health = samples.flatMap((sample) => sample.health)
      return [String(concurrent), String(instances), (median(rates) / 1e6).toFixed(0), extent(rates, 1e6), (peakMemory / 1e6).toFixed(0), median(health).toFixed(1), percentile(health, 0.99).toFixed(0)]
    }),
    notes: ['All instances, Redis, and the process that uploads share the cores of one machine: more instances cannot be faster here than the cores are; what is seen is what sharing costs.'],
    marks: [],
    figures: rows
  }
}

import { benchConnections } from './scale/connections.js'
import { benchLatency } from './scale/latency.js'
import { benchRedisCost } from './scale/redis-cost.js'
import { benchStores } from './scale/stores.js'
import { benchThroughput } from './scale/throughput.js'
import type { Report } from './table.js'
import type { Task } from './task.js'

/** One, two and three instances with one Redis, many uploads, connections and sessions. */
export async function benchScale (task: Task): Promise<Report[]> {
  const reports: Report[] = []
  for (const bench of [benchLatency, benchThroughput, benchConnections, benchStores, benchRedisCost]) reports.push(await bench(task))
  return reports
}

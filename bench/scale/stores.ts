import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import type { Report } from '../table.js'
import type { Task } from '../task.js'
import { watch } from '../watched.js'
import { startRedis } from './cluster.js'

const SESSIONS = 100_000
const STORES = ['memory', 'embedded', 'redis'] as const
const ROOT = join(import.meta.dirname, '..', '..')

/** What the program finds: bytes and seconds. */
type Found = Readonly<Record<'own' | 'redis' | 'add' | 'sweepNothing' | 'sweepSome' | 'census', number>>

/** 100 000 sessions, each with two files, in each kind of store. */
export async function benchStores ({ folder }: Task): Promise<Report> {
  const redis = await startRedis(join(folder, 'stores-shared'))
  // Within the project, where its packages are found.
  const program = join(ROOT, 'dist', 'bench-store-program.mjs')
  await build({ entryPoints: [join(import.meta.dirname, 'store-program.ts')], outfile: program, bundle: true, packages: 'external', format: 'esm', platform: 'node', target: 'node20' })
  const found = new Map<string, Found>()
  for (const store of STORES) {
    process.stderr.write(`scale: ${SESSIONS} sessions, ${store}\n`)
    const place = join(folder, `stores-${store}`)
    await mkdir(place)
    const { stdout, ended } = watch({ command: process.execPath, args: ['--expose-gc', program], cwd: ROOT, env: { TASK: JSON.stringify({ store, sessions: SESSIONS, folder: place, redisUrl: redis.url }) } })
    const [said] = await Promise.all([text(stdout), ended])
    found.set(store, JSON.parse(said) as Found)
  }
  await redis.server.stop()
  const mb = (bytes: number): string => (bytes / 1e6).toFixed(0)
  const s = (seconds: number): string => seconds.toFixed(2)
  return {
    title: `${SESSIONS.toLocaleString('en')} sessions of two files each, through the interface of the store`,
    columns: ['store', 'MB in the process', 'MB in Redis', 'sessions added a second', 's, a sweep that finds nothing', `s, one that ends ${SESSIONS / 100} and ${SESSIONS / 100} files`, 's, counting all for the operator'],
    rows: [...found].map(([store, { own, redis: inRedis, add, sweepNothing, sweepSome, census }]) =>
      [store, mb(own), store === 'redis' ? mb(inRedis) : '', (SESSIONS / add).toFixed(0), s(sweepNothing), s(sweepSome), s(census)]),
    notes: ['The records of the memory store are values that nothing seals. A sweep runs every 15 seconds; a census at most a tenth of the time.'],
    marks: [],
    figures: Object.fromEntries(found)
  }
}

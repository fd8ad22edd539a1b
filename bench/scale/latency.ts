import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fromHex, toHex } from '../../lib/crypto/bytes.js'
import { deriveW } from '../../lib/crypto/password.js'
import { joinerHandshake, joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import type { SessionId } from '../../lib/ids.js'
import { median, type Report } from '../table.js'
import type { Task } from '../task.js'
import { PASSWORD, post, startCluster, type BenchSession } from './cluster.js'

/** Milliseconds between two looks. */
const PAUSE = 20
const LOOKS = 500
/** Sessions that are joined in each way, and how often each is: no session admits more. */
const SESSIONS = 5
const JOINS = 20

/** The value that so many of them do not exceed. */
export function percentile (values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

async function timed (action: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now()
  await action()
  return performance.now() - begunAt
}

const look = (origin: string): Promise<number> => timed(async () => {
  const response = await fetch(`${origin}/health`)
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`/health answered ${response.status}`)
})

/** Looks at /health again and again until it is told to stop. @returns milliseconds of each look */
export function probeHealth (origin: string): { readonly stop: () => Promise<readonly number[]> } {
  const taken: number[] = []
  const stopping = new AbortController()
  const looking = (async () => {
    while (!stopping.signal.aborted) {
      taken.push(await look(origin))
      await delay(PAUSE)
    }
  })()
  return {
    stop: async () => {
      stopping.abort()
      await looking
      return taken
    }
  }
}

/** How long /health and joins take where nothing else happens. */
export async function benchLatency ({ folder }: Task): Promise<Report> {
  const place = join(folder, 'latency')
  await mkdir(place)
  const cluster = await startCluster(place, 1)
  const origin = cluster.instances[0]?.origin ?? ''
  const health: number[] = []
  for (let i = 0; i < LOOKS; i++) health.push(await look(origin))
  const byHandshake: number[] = []
  for (const session of await cluster.createSessions(SESSIONS, { max_joiners: JOINS })) byHandshake.push(...await handshakeJoins(origin, session))
  const byPassword: number[] = []
  for (const { id, code } of await cluster.createSessions(SESSIONS, { max_joiners: JOINS })) {
    for (let i = 0; i < JOINS; i++) byPassword.push(await timed(() => post(`${origin}/api/session/${id}/join`, undefined, { verification_code: code, password: PASSWORD })))
  }
  await cluster.stop()
  const row = (name: string, values: readonly number[]): string[] => [name, String(values.length), median(values).toFixed(1), percentile(values, 0.99).toFixed(1)]
  return {
    title: 'Latency, nothing else under way',
    columns: ['what', 'times', 'ms, median', '99 %'],
    rows: [row('GET /health', health), row('join by SPAKE2: share and confirmation, two requests', byHandshake), row('join by password, stretched by the server', byPassword)],
    notes: ['Of the join by SPAKE2, what the joiner computes is not counted.'],
    marks: [],
    figures: { health, byHandshake, byPassword }
  }
}

/** Joins as a client does that has stretched the password itself, once. */
async function handshakeJoins (origin: string, { id, code }: BenchSession): Promise<number[]> {
  const url = `${origin}/api/session/${id}`
  const element = passwordElement(await deriveW(PASSWORD, id as SessionId))
  const taken: number[] = []
  for (let i = 0; i < JOINS; i++) {
    const own = joinerShare(element)
    let answer: Record<string, unknown> = {}
    const first = await timed(async () => { answer = await post(`${url}/join`, undefined, { verification_code: code, public_key: toHex(own.share) }) })
    const { confirmation } = await joinerHandshake({ kind: 'managed', sid: id as SessionId, element, own, peer: fromHex(String(answer['public_key'])) })
    taken.push(first + await timed(() => post(`${url}/joins/${String(answer['join_id'])}/confirm`, String(answer['token']), { confirmation: toHex(confirmation) })))
  }
  return taken
}

/** What is measured. Labels come from short fixed lists: never an id, an address or a name. docs/monitoring.md says what each is good for. */

import { collectDefaultMetrics, Counter, Gauge, Histogram, type Aggregator, type Registry } from 'prom-client'
import type { FastifyInstance } from 'fastify'
import type { Direction } from '../lib/service-events.js'
import { KINDS, RecentCensus, STATUSES } from '../lib/sessions/census.js'

const REFUSALS = ['code', 'password', 'rejected', 'full', 'given-up', 'locked', 'busy', 'unknown-session'] as const
const END_REASONS = ['closed', 'expired', 'revoked', 'stopped'] as const
const DIRECTIONS: readonly Direction[] = ['upload', 'download']
/** Seconds: from a small answer to a large file. */
const DURATIONS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600, 3600]

/** Requests by route, so that no path that somebody made up becomes a label. */
export function measureRequests (registry: Registry, app: FastifyInstance): void {
  const registers = [registry]
  const duration = new Histogram({ registers, name: 'local_send_http_request_duration_seconds', help: 'Time from a request to the end of its answer', labelNames: ['method', 'route', 'status'], buckets: DURATIONS })
  const errors = new Counter({ registers, name: 'local_send_http_errors_total', help: 'Error answers', labelNames: ['code'] })
  app.addHook('onResponse', (request, reply, done) => {
    const { url: route = 'none' } = request.routeOptions
    duration.observe({ method: request.method, route, status: `${Math.floor(reply.statusCode / 100)}xx` }, reply.elapsedTime / 1000)
    if (reply.errorCode !== null) errors.inc({ code: reply.errorCode })
    done()
  })
}

/** What happens, as counters. They stand at zero from the start, so that the first time is seen as an increase. */
export function countEvents (registry: Registry, { serviceEvents }: Pick<FastifyInstance, 'serviceEvents'>): void {
  const count = counters(registry)
  serviceEvents.listen((event) => {
    switch (event.type) {
      case 'session.created': count.created.inc({ kind: event.kind }); break
      case 'session.locked': count.locked.inc({ kind: event.kind }); break
      case 'session.ended': count.ended.inc({ kind: event.kind, reason: event.reason }); break
      case 'join.started': count.attempts.inc({ kind: event.kind }); break
      case 'join.succeeded': count.joins.inc({ kind: event.kind }); break
      case 'join.refused': count.refusals.inc({ reason: event.reason }); break
      case 'transfer.ended': count.transfers.observe({ direction: event.direction, outcome: event.outcome }, event.seconds); break
      case 'sweep.ended':
        count.sweeps.observe({ outcome: event.outcome }, event.seconds)
        if (event.outcome === 'completed') count.lastSweep.setToCurrentTime()
        break
      case 'files.expired': count.filesExpired.inc(event.files); break
      case 'store.failed': count.storeErrors.inc({ store: event.store }); break
      case 'webhook.settled': count.webhooks.inc({ outcome: event.outcome }); break
      case 'operator.refused': count.operatorRefusals.inc({ area: event.area }); break
      case 'session.unlocked': case 'participant.left': case 'drain.began': case 'drain.ended': break
    }
  })
}

function counters (registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, label: Label, values: readonly string[]): Counter<Label> => {
    const made = new Counter({ registers: [registry], name: `local_send_${name}`, help, labelNames: [label] })
    for (const value of values) made.inc({ [label]: value } as Record<Label, string>, 0)
    return made
  }
  const ended = new Counter({ registers: [registry], name: 'local_send_sessions_ended_total', help: 'Sessions that have ended', labelNames: ['kind', 'reason'] })
  for (const kind of KINDS) for (const reason of END_REASONS) ended.inc({ kind, reason }, 0)
  const transfers = new Histogram({ registers: [registry], name: 'local_send_transfer_duration_seconds', help: 'Time that uploads (each piece of a resumable one) and downloads took', labelNames: ['direction', 'outcome'], buckets: DURATIONS })
  for (const direction of DIRECTIONS) for (const outcome of ['completed', 'interrupted', 'failed']) transfers.zero({ direction, outcome })
  const sweeps = new Histogram({ registers: [registry], name: 'local_send_sweep_duration_seconds', help: 'Time that looking for what has expired, and removing it, took', labelNames: ['outcome'], buckets: DURATIONS })
  for (const outcome of ['completed', 'failed']) sweeps.zero({ outcome })
  // Of several workers, that of the one whose sweep is the longest ago: the others' would hide that it hangs.
  const lastSweep = new Gauge({ registers: [registry], name: 'local_send_last_sweep_timestamp_seconds', help: 'When the last sweep was completed, or this process began', aggregator: 'min' })
  lastSweep.setToCurrentTime()
  return {
    created: counter('sessions_created_total', 'Sessions created', 'kind', KINDS),
    locked: counter('sessions_locked_total', 'Sessions locked by failed joins', 'kind', KINDS),
    ended,
    attempts: counter('join_attempts_total', 'Join attempts that had the right verification code', 'kind', KINDS),
    joins: counter('joins_total', 'Join attempts that succeeded', 'kind', KINDS),
    refusals: counter('join_refusals_total', 'Joins that came to nothing', 'reason', REFUSALS),
    transfers,
    sweeps,
    lastSweep,
    filesExpired: new Counter({ registers: [registry], name: 'local_send_files_expired_total', help: 'Files removed because their own time was over' }),
    storeErrors: counter('store_errors_total', 'Failures of what stores: sessions, files', 'store', ['records', 'files']),
    webhooks: counter('webhook_deliveries_total', 'Messages of the webhook, by what became of them', 'outcome', ['delivered', 'failed', 'dropped']),
    operatorRefusals: counter('operator_refusals_total', 'Requests with a wrong ADMIN_TOKEN or METRICS_TOKEN', 'area', ['admin', 'metrics'])
  }
}

/**
 * What there is, looked at when it is asked for. Of several workers, what each has is added up; what they share, or were all told, they say alike.
 */
export function gaugeState (registry: Registry, app: FastifyInstance, version: string): void {
  const { config, storageQuota, memoryBudget, blobs } = app
  const gauge = (name: string, help: string, value: () => number, aggregator: Aggregator = 'sum'): void => {
    const made: Gauge = new Gauge({ registers: [registry], name: `local_send_${name}`, help, aggregator, collect () { made.set(value()) } })
  }
  collectDefaultMetrics({ register: registry })
  new Gauge({ registers: [registry], name: 'local_send_build_info', help: 'The version that runs', labelNames: ['version', 'node'], aggregator: 'first' }).set({ version, node: process.version }, 1)
  gaugeCensus(registry, app)
  gaugeTransfers(registry, app)
  gauge('sessions_max', 'MAX_SESSIONS', () => config.MAX_SESSIONS, 'max')
  gauge('stored_bytes', 'Bytes stored and reserved', () => storageQuota.total, 'max')
  gauge('stored_bytes_max', 'MAX_STORAGE', () => config.MAX_STORAGE, 'max')
  gauge('disk_reserve_bytes', 'MIN_FREE_SPACE', () => config.MIN_FREE_SPACE, 'max')
  gauge('memory_slots', 'Slots for chunks in flight: STREAM_MEMORY by the size of one', () => memoryBudget.slots)
  gauge('memory_slots_used', 'Slots that transfers have', () => memoryBudget.used)
  gauge('memory_waiting', 'Transfers that wait for their first slot', () => memoryBudget.waiting)
  gauge('event_streams', 'Event streams that are open', () => app.eventStreams.size)
  gauge('draining', '1 while no new sessions are taken', () => Number(app.draining.isOn), 'max')
  gauge('webhook_queue', 'Messages of the webhook that are not settled', () => app.webhook?.waiting ?? 0)
  const disk: Gauge = new Gauge({
    registers: [registry],
    name: 'local_send_disk_free_bytes',
    help: 'Bytes free where files are stored; absent where that cannot be told',
    aggregator: 'min',
    async collect () {
      disk.reset()
      await blobs.freeSpace().then((bytes) => { if (Number.isFinite(bytes)) disk.set(bytes); else disk.remove() }, () => { disk.remove() })
    }
  })
}

function gaugeCensus (registry: Registry, { sessions }: FastifyInstance): void {
  const recent = new RecentCensus(() => sessions.all())
  const there: Gauge<'kind' | 'status'> = new Gauge({
    registers: [registry],
    name: 'local_send_sessions',
    help: 'Sessions that there are',
    aggregator: 'max',
    labelNames: ['kind', 'status'],
    async collect () {
      const census = await recent.take()
      for (const kind of KINDS) for (const status of STATUSES) there.set({ kind, status }, census.sessions[kind][status])
    }
  })
  const files: Gauge<'state'> = new Gauge({
    registers: [registry],
    name: 'local_send_files',
    help: 'Files that are whole, and resumable uploads that are not',
    aggregator: 'max',
    labelNames: ['state'],
    async collect () {
      const census = await recent.take()
      files.set({ state: 'ready' }, census.files)
      files.set({ state: 'uploading' }, census.uploads)
    }
  })
}

function gaugeTransfers (registry: Registry, { sessions: { transfers } }: FastifyInstance): void {
  const active: Gauge<'direction'> = new Gauge({
    registers: [registry],
    name: 'local_send_transfers_active',
    help: 'Transfers under way',
    labelNames: ['direction'],
    collect () { for (const direction of DIRECTIONS) active.set({ direction }, transfers.active({ direction })) }
  })
  const bytes: Counter<'direction'> = new Counter({
    registers: [registry],
    name: 'local_send_transfer_bytes_total',
    help: 'Bytes of files that have come and gone: the plaintext in managed sessions, what is stored in end-to-end ones',
    labelNames: ['direction'],
    collect () {
      bytes.reset()
      for (const direction of DIRECTIONS) bytes.inc({ direction }, transfers.moved(direction))
    }
  })
}

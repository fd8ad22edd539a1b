import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ConfigError } from '../lib/config.js'
import { Archives } from '../lib/files/archive.js'
import { ArrivingFiles } from '../lib/files/arriving-files.js'
import { newFence, type BlobStore } from '../lib/files/blob-store.js'
import { DiskStore } from '../lib/files/disk-store.js'
import { Downloads } from '../lib/files/downloads.js'
import { Files } from '../lib/files/files.js'
import { MemoryBudget, SLOT_SIZE } from '../lib/files/memory-budget.js'
import { ResumableUploads } from '../lib/files/resumable-uploads.js'
import { S3Store } from '../lib/files/s3-store.js'
import { SharedQuota } from '../lib/files/shared-quota.js'
import { SharedTurns } from '../lib/files/shared-turns.js'
import { StorageQuota, type Quota } from '../lib/files/storage-quota.js'
import { Turns } from '../lib/files/turns.js'
import { UploadActivity } from '../lib/files/upload-activity.js'
import { WholeUploads } from '../lib/files/whole-uploads.js'
import { FileRecords } from '../lib/sessions/file-records.js'
import type { SessionId } from '../lib/ids.js'
import type { SessionsOptions } from './sessions.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly blobs: BlobStore
    readonly storageQuota: Quota
    readonly memoryBudget: MemoryBudget
    readonly files: Files
    readonly downloads: Downloads
    readonly archives: Archives
    readonly wholeUploads: WholeUploads
    readonly resumableUploads: ResumableUploads
    readonly uploadActivity: UploadActivity
    readonly arrivingFiles: ArrivingFiles
  }
}

/** Milliseconds after which a file that no session claims is nobody's: whoever uploads it has told its session by then, or has gone. */
const UNCLAIMED_AGE = 86_400_000
/** Milliseconds between two looks for such files, where more than a process that was killed can leave them. */
const LOOK_INTERVAL = 3_600_000
/** Milliseconds between two looks for files whose own time is over, where instances take turns at that. */
const FILE_SWEEP_INTERVAL = 15_000

/** The files of the sessions. */
export default fp<SessionsOptions>(async (app, { clock = Date.now }) => {
  const { config, sessions } = app
  const blobs = await openBlobs(app)
  // Where the sessions' keys end with this process, their files do too: before the store and the folder are given up.
  app.addHook('onClose', async () => {
    await sessions.closeAll()
    await blobs.close()
  })

  const records = new FileRecords(sessions)
  const activity = new UploadActivity()
  const arrivingFiles = new ArrivingFiles(sessions.events)
  const { redis } = app
  const isShared = redis !== null
  const quota = openQuota(app, blobs)
  const turns = redis === null ? new Turns() : await SharedTurns.open(redis)
  if (turns instanceof SharedTurns) app.addHook('onClose', () => { turns.close() })
  const budget = new MemoryBudget(config.STREAM_MEMORY, SLOT_SIZE)
  const types = { allowedTypes: config.ALLOWED_TYPES, allowedExtensions: config.ALLOWED_EXTENSIONS }

  const files = new Files({
    sessions,
    records,
    blobs,
    quota,
    turns,
    activity,
    isShared,
    clock,
    onError: (error) => { app.log.error(error, 'removing a file failed; a later look for files that no session claims finds it') }
  })
  const shared = { sessions, records, files, blobs, quota, budget, types, activity, clock, isShared, newFence: isShared ? newFence : () => undefined }
  app.decorate('blobs', blobs)
  app.decorate('storageQuota', quota)
  app.decorate('memoryBudget', budget)
  app.decorate('files', files)
  app.decorate('uploadActivity', activity)
  app.decorate('arrivingFiles', arrivingFiles)
  app.decorate('wholeUploads', new WholeUploads({ ...shared, arrivingFiles }))
  app.decorate('resumableUploads', new ResumableUploads({ ...shared, turns }))
  const onError = (error: unknown): void => { app.log.error(error, 'cleaning up after a download failed') }
  const watch = (sessionId: SessionId, onChange: () => void): Promise<() => void> => app.eventHub.subscribe(sessionId, undefined, { onStart: onChange, onEvent: onChange })
  app.decorate('downloads', new Downloads({ ...shared, ...(isShared && { watch }), patience: config.IDLE_TIMEOUT * 1000, onError }))
  app.decorate('archives', new Archives({ ...shared, onError }))

  await files.takeOver()
  await reclaimUnclaimed(app, clock)
  sessions.onSweep((now) => endExpired(app, now))
}, { name: 'files', dependencies: ['config', 'folder', 'redis', 'sessions'] })

function openQuota ({ config, redis, log }: FastifyInstance, blobs: BlobStore): Quota {
  const limits = {
    maxFileSize: config.MAX_FILE_SIZE,
    maxSessionSize: config.MAX_SESSION_SIZE,
    maxStorage: config.MAX_STORAGE,
    minFreeSpace: config.MIN_FREE_SPACE
  }
  const freeSpace = (): Promise<number> => blobs.freeSpace()
  if (redis === null) return new StorageQuota(limits, freeSpace)
  return new SharedQuota(limits, freeSpace, redis, (error) => { log.error(error, 'counting what is stored failed') })
}

/** Removes the files that no session claims: at the start, and from time to time where more than a process that was killed can leave them. */
async function reclaimUnclaimed (app: FastifyInstance, clock: () => number): Promise<void> {
  const { config, files } = app
  const isShared = app.redis !== null
  const reclaim = async (before: number): Promise<void> => {
    const removed = await files.reclaim(before)
    if (removed > 0) app.log.info({ removed }, 'removed files that no session claims')
  }
  if (!isShared) await reclaim(Number.POSITIVE_INFINITY)
  if (!isShared && config.BLOB_STORE !== 's3') return
  const onError = (error: unknown): void => { app.log.error(error, 'looking for files that no session claims failed; it will be tried again') }
  const look = (): void => { reclaim(clock() - UNCLAIMED_AGE).catch(onError) }
  // What others store is many objects, perhaps, and nothing that a request waits for.
  if (isShared) app.addHook('onListen', (done) => { look(); done() })
  const timer = setInterval(look, LOOK_INTERVAL)
  timer.unref()
  app.addHook('onClose', () => { clearInterval(timer) })
}

/** Ends the files whose own time is over. */
async function endExpired ({ redis, files, serviceEvents, log }: FastifyInstance, now: number): Promise<void> {
  // One instance at a time: others would find what it has found already.
  if (redis !== null && await redis.run((client) => client.set('local-send:file-sweep', process.pid, 'PX', FILE_SWEEP_INTERVAL, 'NX')) !== 'OK') return
  const ended = await files.sweep(now)
  if (ended === 0) return
  serviceEvents.tell({ type: 'files.expired', files: ended })
  log.info({ ended }, 'files expired')
}

async function openBlobs ({ config, folder, serviceEvents }: FastifyInstance): Promise<BlobStore> {
  const onFailure = (): void => { serviceEvents.tell({ type: 'store.failed', store: 'files' }) }
  if (config.BLOB_STORE === 'disk') return new DiskStore(folder.path, onFailure)
  try {
    return await S3Store.open({
      bucket: config.S3_BUCKET ?? '',
      endpoint: config.S3_ENDPOINT,
      region: config.S3_REGION,
      forcePathStyle: config.S3_FORCE_PATH_STYLE,
      prefix: config.S3_PREFIX ?? '',
      checksums: config.S3_CHECKSUMS,
      partSize: config.S3_PART_SIZE,
      memory: config.S3_MEMORY,
      onFailure
    })
  } catch (error) {
    const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
    throw new ConfigError(`S3_BUCKET cannot be used: ${why}`)
  }
}

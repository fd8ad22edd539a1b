import fp from 'fastify-plugin'
import { CHUNK_LOG2 } from '../lib/crypto/container.js'
import type { BlobStore } from '../lib/files/blob-store.js'
import { DiskStore } from '../lib/files/disk-store.js'
import { Files } from '../lib/files/files.js'
import { MemoryBudget } from '../lib/files/memory-budget.js'
import { StorageQuota } from '../lib/files/storage-quota.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly files: Files
    readonly blobs: BlobStore
  }
}

/** Plaintext and ciphertext of one chunk. */
const SLOT_BYTES = 2 * 2 ** CHUNK_LOG2

/** The files of the sessions, in a folder that this process alone uses. */
export default fp(async (app) => {
  const { config, sessions } = app
  const blobs = await DiskStore.open(config.UPLOAD_FOLDER)
  // The sessions' keys end with this process, so their files do too: before the folder is given up.
  app.addHook('onClose', async () => {
    await sessions.closeAll()
    await blobs.close()
  })

  const files = new Files({
    sessions,
    blobs,
    quota: new StorageQuota({
      maxFileSize: config.MAX_FILE_SIZE,
      maxSessionSize: config.MAX_SESSION_SIZE,
      maxStorage: config.MAX_STORAGE,
      minFreeSpace: config.MIN_FREE_SPACE
    }, () => blobs.freeSpace()),
    budget: new MemoryBudget(config.STREAM_MEMORY, SLOT_BYTES),
    types: { allowedTypes: config.ALLOWED_TYPES, allowedExtensions: config.ALLOWED_EXTENSIONS },
    onError: (error) => { app.log.error(error, 'cleaning up after a download failed') }
  })
  app.decorate('files', files)
  app.decorate('blobs', blobs)

  const removed = await files.removeUnclaimed()
  if (removed > 0) app.log.info({ removed }, 'removed files that no session claims')
}, { name: 'files', dependencies: ['config', 'sessions'] })

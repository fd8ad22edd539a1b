import t from 'tap'
import { S3Store } from '../../lib/files/s3-store.js'
import { emptied, PART, startS3, storeOptions } from '../helpers/s3.js'
import { needs } from '../helpers/services.js'
import { blobStoreContract } from './blob-store-contract.js'

t.test('containers in object storage', async (t) => {
  if (!await needs(t, 'swift')) return
  const server = await startS3(t)
  const blobs = await S3Store.open(storeOptions(server.endpoint))
  t.teardown(() => blobs.close())
  blobStoreContract(t, blobs, 2 * PART + 1)
  t.test('nothing is left in the end', async (t) => { await emptied(t, server) })
})

import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { S3Store } from '../../lib/files/s3-store.js'
import { newFileId, newSessionId } from '../../lib/new-ids.js'
import { randomContent } from '../helpers/client.js'
import { emptied, PART, startS3, storeOptions } from '../helpers/s3.js'
import { needs } from '../helpers/services.js'
import { blobStoreContract, store } from './blob-store-contract.js'

t.test('containers in object storage', async (t) => {
  if (!await needs(t, 'swift')) return
  const server = await startS3(t)
  const blobs = await S3Store.open(storeOptions(server.endpoint))
  t.teardown(() => blobs.close())
  blobStoreContract(t, blobs, 2 * PART + 1)
  t.test('the inventory leaves alone what is younger than it asks for', async (t) => {
    const key = { sessionId: newSessionId(), fileId: newFileId(), part: 0 }
    await store(blobs, key, randomContent(10))
    const writer = await blobs.create({ ...key, part: 1 })
    await writer.write(randomContent(PART + 1))
    while ((await server.uploads()).length === 0) await delay(20)
    const anHourAgo = Date.now() - 3_600_000
    t.equal((await blobs.inventory(anHourAgo)).size, 0)
    t.equal((await server.uploads()).length, 1, 'somebody may be writing it')
    t.same(await blobs.inventory(Number.POSITIVE_INFINITY), new Map([[key.sessionId, [key]]]))
    t.equal((await server.uploads()).length, 0, 'nobody can')
    await writer.abort()
    await blobs.remove(key)
  })
  t.test('nothing is left in the end', async (t) => { await emptied(t, server) })
})

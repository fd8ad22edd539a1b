import t from 'tap'
import type { BlobKey } from '../../lib/files/blob-store.js'
import { S3Store } from '../../lib/files/s3-store.js'
import { newFileId, newSessionId } from '../../lib/new-ids.js'
import { randomContent } from '../helpers/client.js'
import { startFaults } from '../helpers/faults.js'
import { emptied, PART, startS3, storeOptions } from '../helpers/s3.js'
import { needs } from '../helpers/services.js'
import { store, stored } from './blob-store-contract.js'

const newKey = (): BlobKey => ({ sessionId: newSessionId(), fileId: newFileId(), part: 0 })

t.test('object storage that fails', async (t) => {
  if (!await needs(t, 'swift')) return
  const server = await startS3(t)
  const faults = await startFaults(t, server.endpoint)
  let failures = 0
  const options = { ...storeOptions(faults.origin), onFailure: () => { failures += 1 } }
  const blobs = await S3Store.open(options)
  t.teardown(() => blobs.close())

  t.test('what passes by itself nobody notices', async (t) => {
    const content = randomContent(2 * PART + 1)
    for (const fault of ['error', 'slow-down', 'lost'] as const) {
      for (const [name, isMeant] of Object.entries({
        CreateMultipartUpload: ({ method, url }: { method: string, url: string }) => method === 'POST' && /[?&]uploads\b/.test(url),
        UploadPart: ({ method, url }: { method: string, url: string }) => method === 'PUT' && url.includes('partNumber'),
        CompleteMultipartUpload: ({ method, url }: { method: string, url: string }) => method === 'POST' && url.includes('uploadId='),
        GetObject: ({ method, url }: { method: string, url: string }) => method === 'GET' && url.includes('x-id=GetObject')
      })) {
        const key = newKey()
        faults.inject(fault, isMeant)
        await store(blobs, key, content)
        t.ok(Buffer.from(await stored(blobs, key)).equals(content), `${fault}: ${name}`)
        await blobs.remove(key)
      }
    }
    t.equal(failures, 0)
    // The beginning of an upload whose answer got lost: nobody knows its id.
    await blobs.inventory(Number.POSITIVE_INFINITY)
    await emptied(t, server)
  })

  t.test('a download that breaks goes on where it was', async (t) => {
    const key = newKey()
    const content = randomContent(3_000_000)
    await store(blobs, key, content)
    faults.inject('cut', ({ method }) => method === 'GET', 2)
    t.ok(Buffer.from(await stored(blobs, key)).equals(content))
    await blobs.remove(key)
  })

  t.test('what does not pass is said, and leaves nothing', async (t) => {
    const key = newKey()
    for (const size of [1000, 2 * PART + 1]) {
      faults.inject('error', ({ method }) => method === 'PUT', 100)
      const writer = await blobs.create(key)
      await t.rejects((async () => {
        await writer.write(randomContent(size))
        await writer.commit()
      })(), { code: 'STORAGE_UNAVAILABLE', statusCode: 503, retryAfter: 5 })
      await writer.abort()
      faults.inject('late', ({ method }) => method === 'HEAD')
      while (await leftOver()) { /* The rest of the hundred. */ }
      t.equal(await blobs.has(key), false)
    }
    t.ok(failures > 0)
    await emptied(t, server)
  })

  /** Uses up one of the errors that were planned. */
  async function leftOver (): Promise<boolean> {
    const response = await fetch(`${faults.origin}/nowhere`, { method: 'PUT', body: '' })
    return response.status === 500
  }

  t.test('where storage can refuse a second object of a name, that is asked for', async (t) => {
    faults.conditional()
    const conditional = await S3Store.open(options)
    t.teardown(() => conditional.close())
    const content = randomContent(1000)
    const key = newKey()
    const own = randomContent(1000)
    const heads = faults.count('HEAD')
    faults.inject('lost', ({ method, url }) => method === 'PUT' && url.includes(key.fileId))
    await store(conditional, key, own)
    t.ok(faults.count('HEAD') > heads, 'the answer got lost; it is found again as one\'s own')
    const writer = await conditional.create(key)
    await writer.write(content)
    await t.rejects(writer.commit(), { code: 'FILE_EXISTS' })
    await writer.abort()
    t.ok(Buffer.from(await stored(conditional, key)).equals(own), 'the first one stays')
    await conditional.remove(key)
    t.equal(await conditional.has(key), false)
    await emptied(t, server)
  })
})

/** What object storage does at its limits: of memory, of patience, of a page. */

import t from 'tap'
import type { BlobKey } from '../../lib/files/blob-store.js'
import { S3Store } from '../../lib/files/s3-store.js'
import { newFileId, newSessionId } from '../../lib/new-ids.js'
import { randomContent } from '../helpers/client.js'
import { startFaults } from '../helpers/faults.js'
import { emptied, PART, startS3, storeOptions } from '../helpers/s3.js'
import { needs } from '../helpers/services.js'
import { store, stored } from './blob-store-contract.js'

const PAGE = 3
const newKey = (): BlobKey => ({ sessionId: newSessionId(), fileId: newFileId(), part: 0 })

t.test('object storage at its limits', async (t) => {
  if (!await needs(t, 'swift')) return
  const server = await startS3(t, { page: PAGE })
  const faults = await startFaults(t, server.endpoint)
  const opened = async (options: Partial<Parameters<typeof S3Store.open>[0]>): Promise<S3Store> => {
    const blobs = await S3Store.open({ ...storeOptions(faults.origin), ...options })
    t.teardown(() => blobs.close())
    return blobs
  }

  t.test('what stalls is asked for again from where it was', async (t) => {
    const blobs = await opened({ stallTimeout: 200 })
    const key = newKey()
    const content = randomContent(3_000_000)
    await store(blobs, key, content)
    const before = faults.count('GET')
    faults.inject('stalled', ({ method }) => method === 'GET', 2)
    t.ok(Buffer.from(await stored(blobs, key)).equals(content))
    t.equal(faults.count('GET') - before, 3)
    await blobs.remove(key)
  })

  t.test('an upload waits for memory, in its turn, and not for ever', async (t) => {
    const patient = await opened({ memory: PART })
    const [first, second] = [newKey(), newKey()]
    const holder = await patient.create(first)
    await holder.write(randomContent(10))
    const order: string[] = []
    const waiting = store(patient, second, randomContent(10)).then(() => { order.push('second') })
    const third = await patient.create(newKey())
    const givenUp = t.rejects(third.write(randomContent(10)))
    await third.abort()
    await givenUp
    for (let i = 0; i < 5; i++) t.equal(await patient.has(second), false)
    order.push('first')
    await holder.commit()
    await waiting
    t.same(order, ['first', 'second'])
    for (const key of [first, second]) await patient.remove(key)

    const hurried = await opened({ memory: PART, memoryPatience: 50 })
    const owner = await hurried.create(newKey())
    await owner.write(randomContent(10))
    const refused = await hurried.create(newKey())
    await t.rejects(refused.write(randomContent(10)), { code: 'SERVER_BUSY', statusCode: 503 })
    await refused.abort()
    await owner.abort()
    await emptied(t, server)
  })

  t.test('the storage is sent the checksum that is wanted', async (t) => {
    for (const checksums of ['sha256', 'crc32', 'none'] as const) {
      const before = faults.puts.length
      const blobs = await opened({ checksums })
      for (const size of [1000, PART + 1]) {
        const [key, content] = [newKey(), randomContent(size)]
        await store(blobs, key, content)
        t.ok(Buffer.from(await stored(blobs, key)).equals(content), `${checksums}, ${size} bytes`)
        await blobs.remove(key)
      }
      const puts = faults.puts.slice(before)
      t.ok(puts.length >= 4)
      for (const { headers, sha256 } of puts) {
        const sent = Object.keys(headers).filter((name) => /^x-amz-checksum-\w+$/.test(name))
        t.same(sent, checksums === 'none' ? [] : [`x-amz-checksum-${checksums}`])
        if (checksums === 'sha256') t.equal(headers['x-amz-checksum-sha256'], sha256)
      }
    }
  })

  t.test('a listing goes on over its pages', async (t) => {
    const blobs = await opened({})
    const keys = Array.from({ length: 2 * PAGE + 1 }, newKey)
    for (const key of keys) await store(blobs, key, randomContent(1))
    const before = faults.count('GET')
    const found = await blobs.inventory(Number.POSITIVE_INFINITY)
    t.same(new Set([...found.values()].flat().map(({ fileId }) => fileId)), new Set(keys.map(({ fileId }) => fileId)))
    // One for uploads, and what was stored at the start is an object, too.
    t.ok(faults.count('GET') - before >= 4)
    for (const key of keys) await blobs.remove(key)
    t.same(await blobs.inventory(Number.POSITIVE_INFINITY), new Map())
  })

  t.test('an answer that is late is waited for; where nobody waits, what it stored is found later', async (t) => {
    const blobs = await opened({})
    const [key, content] = [newKey(), randomContent(PART + 1)]
    faults.inject('late', ({ method, url }) => method === 'PUT' && url.includes('partNumber'))
    faults.inject('late', ({ method, url }) => method === 'POST' && url.includes('uploadId='))
    await store(blobs, key, content)
    faults.inject('late', ({ method }) => method === 'GET')
    t.ok(Buffer.from(await stored(blobs, key)).equals(content))
    await blobs.remove(key)

    const left = newKey()
    const before = faults.puts.length
    faults.inject('late', ({ method, url }) => method === 'PUT' && url.includes(left.fileId))
    const writer = await blobs.create(left)
    await writer.write(randomContent(10))
    const committed = t.rejects(writer.commit())
    while (faults.puts.length === before) await new Promise(setImmediate)
    await writer.abort()
    await committed
    while ((await blobs.inventory(Number.POSITIVE_INFINITY)).size === 0) { /* It arrives behind its removal. */ }
    t.same([...(await blobs.inventory(Number.POSITIVE_INFINITY)).values()].flat(), [left])
    await blobs.remove(left)
  })
})

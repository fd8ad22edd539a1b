/** What every store of containers does. */

import type { Test } from 'tap'
import type { Bytes } from '../../lib/crypto/bytes.js'
import type { BlobKey, BlobStore, BlobWriter } from '../../lib/files/blob-store.js'
import { newFileId, newSessionId } from '../../lib/new-ids.js'
import { randomContent } from '../helpers/client.js'

const newKey = (part = 0): BlobKey => ({ sessionId: newSessionId(), fileId: newFileId(), part })

/** Writes in pieces without waiting for each, as uploads do. */
async function writeAll (writer: BlobWriter, content: Bytes, piece = 2 ** 18): Promise<void> {
  const writes: Array<Promise<void>> = []
  for (let at = 0; at < content.length; at += piece) writes.push(writer.write(content.subarray(at, at + piece)))
  await Promise.all(writes)
}

export async function store (blobs: BlobStore, key: BlobKey, content: Bytes): Promise<void> {
  const writer = await blobs.create(key)
  await writeAll(writer, content)
  await writer.commit()
}

export async function stored (blobs: BlobStore, key: BlobKey): Promise<Bytes> {
  const reader = await blobs.open(key)
  try {
    const bytes = new Uint8Array(reader.size)
    await reader.read(bytes, 0)
    return bytes
  } finally {
    await reader.close()
  }
}

const same = (t: Test, found: Uint8Array, wanted: Uint8Array, message: string): void => { t.ok(Buffer.from(found).equals(wanted), message) }

/**
 * @param blobs - empty, and used by nobody else
 * @param large - bytes of a blob that the store does not take in one go
 */
export function blobStoreContract (t: Test, blobs: BlobStore, large: number): void {
  t.test('what was written is read, whatever its size', async (t) => {
    for (const size of [0, 1, 2 ** 18, 2 ** 19 + 1, large]) {
      const key = newKey()
      const content = randomContent(size)
      t.equal(await blobs.has(key), false)
      await store(blobs, key, content)
      t.equal(await blobs.has(key), true)
      same(t, await stored(blobs, key), content, `${size} bytes`)
      await blobs.remove(key)
      t.equal(await blobs.has(key), false)
    }
  })

  t.test('pieces of any size are kept in order, and may change once they are written', async (t) => {
    const key = newKey()
    const content = randomContent(300_000)
    const writer = await blobs.create(key)
    const piece = new Uint8Array(70_001)
    for (let at = 0; at < content.length; at += piece.length) {
      const part = content.subarray(at, at + piece.length)
      piece.set(part)
      await writer.write(piece.subarray(0, part.length))
      piece.fill(0)
    }
    await writer.commit()
    same(t, await stored(blobs, key), content, 'the same bytes')
  })

  t.test('reads of any place need not wait for each other', async (t) => {
    const key = newKey(7)
    const content = randomContent(large)
    await store(blobs, key, content)
    const reader = await blobs.open(key)
    t.equal(reader.size, content.length)
    const places = [0, 1, 100, 100 + 2 ** 18, 100 + 2 ** 19, large - 10, 5]
    const targets = places.map((position) => ({ position, target: new Uint8Array(Math.min(2 ** 18, large - position)) }))
    await Promise.all(targets.map(({ target, position }) => reader.read(target, position)))
    for (const { target, position } of targets) same(t, target, content.subarray(position, position + target.length), `from ${position}`)
    await t.rejects(reader.read(new Uint8Array(11), large - 10), { code: 'CONTAINER_DAMAGED' }, 'beyond the end')
    await reader.close()
  })

  t.test('a reader closed early, and one that never read', async () => {
    const key = newKey()
    await store(blobs, key, randomContent(large))
    for (const read of [0, 1000]) {
      const reader = await blobs.open(key)
      await reader.read(new Uint8Array(read), 0)
      await reader.close()
    }
  })

  t.test('a key is taken once', async (t) => {
    const key = newKey()
    const content = randomContent(1000)
    const first = await blobs.create(key)
    await t.rejects(blobs.create(key), { code: 'FILE_EXISTS' }, 'while it is written')
    await first.write(content)
    await first.commit()
    const again = async (): Promise<void> => {
      const second = await blobs.create(key)
      try {
        await second.write(randomContent(10))
        await second.commit()
      } catch (error) {
        await second.abort()
        throw error
      }
    }
    await t.rejects(again(), { code: 'FILE_EXISTS' }, 'and when it has been')
    same(t, await stored(blobs, key), content, 'the first one stays')
  })

  t.test('what is aborted is gone: at any time, and twice', async (t) => {
    for (const size of [0, 1000, large]) {
      const key = newKey()
      const writer = await blobs.create(key)
      await writeAll(writer, randomContent(size))
      await writer.abort()
      await writer.abort()
      t.equal(await blobs.has(key), false, `after ${size} bytes`)
      await t.rejects(blobs.open(key), { code: 'CONTAINER_DAMAGED' })
      await store(blobs, key, randomContent(10))
      t.equal((await stored(blobs, key)).length, 10, 'the key is free again')
    }
    const key = newKey()
    const writer = await blobs.create(key)
    await writer.write(randomContent(10))
    await writer.commit()
    await writer.abort()
    t.equal(await blobs.has(key), false, 'a committed one, too')
  })

  t.test('the end of a blob is replaced', async (t) => {
    const key = newKey()
    const content = randomContent(3_000_000)
    await store(blobs, key, content)
    const end = randomContent(100)
    await blobs.replaceEnd(key, 2_500_000, end)
    const found = await stored(blobs, key)
    t.equal(found.length, 2_500_100)
    same(t, found.subarray(0, 2_500_000), content.subarray(0, 2_500_000), 'what stands before it')
    same(t, found.subarray(2_500_000), end, 'and it')
  })

  t.test('an open blob can be read, or is not there', async (t) => {
    const key = newKey()
    const writer = await blobs.create(key)
    const content = randomContent(2 ** 18)
    await writer.write(content)
    if (blobs.maxOpenBytes === Number.POSITIVE_INFINITY) same(t, await stored(blobs, key), content, 'it is read')
    else t.equal(await blobs.has(key), false, 'it is not there')
    await writer.abort()
  })

  t.test('removing what is not there is no error; opening it is', async (t) => {
    await blobs.remove(newKey())
    await t.rejects(blobs.open(newKey()), { code: 'CONTAINER_DAMAGED' })
  })

  t.test('the inventory has every blob by its session', async (t) => {
    const keys = [newKey(), newKey(12)]
    const [first = newKey()] = keys
    keys.push({ ...first, part: 1 }, { ...first, fileId: newFileId() })
    for (const key of keys) await store(blobs, key, randomContent(10))
    const inventory = await blobs.inventory(Number.POSITIVE_INFINITY)
    for (const key of keys) t.match(inventory.get(key.sessionId)?.filter(({ fileId, part }) => fileId === key.fileId && part === key.part), [key])
    t.equal(inventory.get(first.sessionId)?.length, 3)
    for (const [, left] of inventory) for (const key of left) await blobs.remove(key)
    t.equal((await blobs.inventory(Number.POSITIVE_INFINITY)).size, 0)
  })

  t.test('it is there, and has room', async (t) => {
    await blobs.check()
    t.ok(await blobs.freeSpace() > 0)
  })
}

/** Places that need a dialogue of the browser's, which no test can answer: here with handles that behave as the standard says. */

import t from 'tap'
import { filePlace, folderPlace } from '../../web/saving/chosen-place.js'
import { memoryPlace } from '../../web/saving/memory-place.js'
import { ProblemError } from '../../web/transfer/problem.js'
import { randomContent } from '../helpers/client.js'

/** A folder in memory. What is written stands in it when its stream has been closed, as with `createWritable`. */
class FakeFolder {
  readonly files = new Map<string, Uint8Array>()
  readonly folders = new Map<string, FakeFolder>()
  /** Bytes that can still be written. */
  room = Number.POSITIVE_INFINITY

  getDirectoryHandle (name: string): Promise<FakeFolder> {
    const folder = this.folders.get(name) ?? new FakeFolder()
    this.folders.set(name, folder)
    return Promise.resolve(folder)
  }

  getFileHandle (name: string, { create = false } = {}): Promise<{ createWritable: () => Promise<object> }> {
    if (!create && !this.files.has(name)) return Promise.reject(new DOMException('', 'NotFoundError'))
    if (!this.files.has(name)) this.files.set(name, new Uint8Array())
    return Promise.resolve({ createWritable: () => Promise.resolve(this.#writable(name)) })
  }

  removeEntry (name: string): Promise<void> {
    this.files.delete(name)
    return Promise.resolve()
  }

  get handle (): FileSystemDirectoryHandle {
    return this as unknown as FileSystemDirectoryHandle
  }

  #writable (name: string) {
    const pieces: Uint8Array[] = []
    return {
      write: (bytes: Uint8Array) => {
        this.room -= bytes.length
        if (this.room < 0) return Promise.reject(new DOMException('', 'QuotaExceededError'))
        pieces.push(bytes.slice())
        return Promise.resolve()
      },
      close: () => {
        this.files.set(name, Buffer.concat(pieces))
        return Promise.resolve()
      },
      abort: () => Promise.resolve()
    }
  }
}

const CONTENT = randomContent(2 ** 23 + 2 ** 19 + 3)

t.test('a folder: what is whole stands in it, under a name that was free', async (t) => {
  const folder = new FakeFolder()
  folder.files.set('a.bin', Buffer.from('there before'))
  const place = folderPlace(folder.handle)
  const partial = await place.create(['a.bin'], CONTENT.length)
  for (let at = 0; at < CONTENT.length; at += 300_001) await partial.write(CONTENT.subarray(at, at + 300_001))
  t.equal(folder.files.get('a (2).bin')?.length, 0, 'nothing of it before it is whole')
  t.equal(await partial.finish(), undefined, 'there is nothing to download')
  t.ok(Buffer.from(folder.files.get('a (2).bin') ?? []).equals(CONTENT), 'byte for byte, over several batches')
  t.equal(String(folder.files.get('a.bin')), 'there before')

  const nested = await place.create(['x', 'y', 'empty.txt'], 0)
  await nested.finish()
  await place.makeFolder(['x', 'z'])
  t.equal(folder.folders.get('x')?.folders.get('y')?.files.get('empty.txt')?.length, 0)
  t.ok(folder.folders.get('x')?.folders.has('z'))
})

t.test('a folder: what was given up is gone', async (t) => {
  const folder = new FakeFolder()
  const partial = await folderPlace(folder.handle).create(['a.bin'], 10)
  await partial.write(CONTENT.subarray(0, 2 ** 22))
  await partial.discard()
  t.same([...folder.files.keys()], [])
})

t.test('a folder without room', async (t) => {
  const folder = new FakeFolder()
  folder.room = 2 ** 22
  const partial = await folderPlace(folder.handle).create(['a.bin'], null)
  await t.rejects((async () => {
    await partial.write(CONTENT)
    await partial.finish()
  })(), new ProblemError({ code: 'NO_ROOM' }))
  await partial.discard()
  t.same([...folder.files.keys()], [])
})

t.test('one file that its user chose: it stays what it was until the new one is whole', async (t) => {
  const folder = new FakeFolder()
  folder.files.set('mine.bin', Buffer.from('before'))
  const handle = await folder.getFileHandle('mine.bin') as unknown as FileSystemFileHandle
  const given = await filePlace(handle).create(['other.bin'], 5)
  await given.write(Uint8Array.from(Buffer.from('new')))
  await given.discard()
  t.equal(String(folder.files.get('mine.bin')), 'before')
  const taken = await filePlace(handle).create(['other.bin'], 5)
  await taken.write(Uint8Array.from(Buffer.from('after')))
  await taken.finish()
  t.equal(String(folder.files.get('mine.bin')), 'after')
})

t.test('memory', async (t) => {
  const partial = await memoryPlace.create(['a.bin'], 6)
  await partial.write(Uint8Array.from(Buffer.from('abc')))
  await partial.write(Uint8Array.from(Buffer.from('def')))
  t.equal(await (await partial.finish())?.text(), 'abcdef')
})

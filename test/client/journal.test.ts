import t from 'tap'
import { MemoryJournal, type ChunkNote, type SendJournal } from '../../client/journal.js'
import { listFiles } from '../../client/offers.js'
import { receiveFile } from '../../client/receive.js'
import { sendFiles, type SendOutcome } from '../../client/send.js'
import { apiOf } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import { openStream } from '../../lib/crypto/container.js'
import { newContentKey } from '../../lib/crypto/keys.js'
import { isFileId } from '../../lib/ids.js'
import { randomContent } from '../helpers/client.js'
import { startCuttingProxy } from './fixtures-transfer/cutting-proxy.js'
import { bytesOf, CHUNK, collect, HEADER, memberOf, recorded, sha256, startManagedPlace, startPlace, TAG, told, watched, QUICK, type Place } from './fixtures-transfer/place.js'
import { startStubTus } from './fixtures-transfer/stub-tus.js'

const CONTENT = randomContent(60 * CHUNK + 77)

/** Sends until so many bytes have gone out, and is then interrupted as a killed process is. */
async function interrupted (t: Parameters<typeof startPlace>[0], { server, creator }: Place, source: Source, journal: SendJournal, bytes: number): Promise<void> {
  const proxy = await startCuttingProxy(t, server.origin)
  proxy.cut('up', bytes)
  const once = { tries: 1, delay: 1, longest: 1 }
  await t.rejects(collect(sendFiles(proxy.connection, creator, [source], { journal, retry: once })), { code: 'NETWORK' })
}

async function idsOf ({ connection, joiner }: Place): Promise<string[]> {
  return (await collect(listFiles(connection, joiner))).map(({ fileId }) => fileId)
}

/** Where the only upload stands. */
async function offsetOf ({ connection, creator }: Place): Promise<number> {
  const api = apiOf(connection, creator)
  const { files: [file] } = await api.files()
  if (file === undefined) throw new Error('no upload')
  return (await api.uploadState(file.fileId)).offset
}

async function digestOf ({ connection, joiner }: Place): Promise<string[]> {
  const offers = await collect(listFiles(connection, joiner))
  return Promise.all(offers.map(async (offer) => 'error' in offer ? offer.error.code : sha256(await bytesOf(receiveFile(connection, joiner, offer)))))
}

const send = (place: Place, source: Source, journal: SendJournal): Promise<SendOutcome[]> =>
  collect(sendFiles(place.connection, place.creator, [source], { journal, retry: QUICK }))

for (const [where, bytes] of [['in the first chunk', CHUNK / 2], ['inside a chunk', 22 * CHUNK + 999], ['in a later piece', 40 * CHUNK]] as const) {
  t.test(`another process goes on, interrupted ${where}`, async (t) => {
    const place = await startPlace(t)
    const journal = new MemoryJournal()
    await interrupted(t, place, recorded(CONTENT), journal, bytes)
    const [id] = await idsOf(place)
    const offset = await offsetOf(place)
    t.ok(offset > 0)
    const source = recorded(CONTENT)
    t.same(told(await send(place, source, journal)), [`file.bin ${CONTENT.length} resumed`])
    t.same(source.reads, [Math.max(0, Math.floor((offset - HEADER) / (CHUNK + TAG))) * CHUNK], 'nothing before the offset is read')
    t.same(await idsOf(place), [id], 'the same file')
    t.same(await digestOf(place), [sha256(CONTENT)])
    const again = recorded(CONTENT)
    t.same(told(await send(place, again, journal)), [`file.bin ${CONTENT.length} resumed`])
    t.same(again.reads, [], 'what is done is not read')
  })
}

t.test('a source that has changed since is noticed, and begun again', async (t) => {
  const changedContent = CONTENT.slice()
  changedContent[0] = (changedContent[0] ?? 0) ^ 1
  const noticed = CONTENT.slice()
  noticed.fill(7, 20 * CHUNK)
  const cases = {
    'its content, under the same size and date': recorded(noticed),
    'its date': recorded(changedContent, { modified: new Date() }),
    'its size': recorded(CONTENT.slice(1))
  }
  for (const [name, source] of Object.entries(cases)) {
    const place = await startPlace(t)
    const journal = new MemoryJournal()
    await interrupted(t, place, recorded(CONTENT), journal, 22 * CHUNK)
    const [id] = await idsOf(place)
    t.same(told(await send(place, source, journal)), [`file.bin ${source.content.length}`], name)
    const ids = await idsOf(place)
    t.equal(ids.length, 1, 'what was begun is gone')
    t.not(ids[0], id)
    t.same(await digestOf(place), [sha256(source.content)])
  }
})

t.test('a journal that knows less than the server is not gone on with', async (t) => {
  const place = await startPlace(t)
  const journal = new MemoryJournal()
  await interrupted(t, place, recorded(CONTENT), journal, 40 * CHUNK)
  const [id] = await idsOf(place)
  const chunk = Math.floor((await offsetOf(place) - HEADER) / (CHUNK + TAG))
  t.ok(chunk > 0)
  const entry = await journal.load('file.bin')
  if (entry === undefined) throw new Error('no entry')
  const notes = await journal.noted('file.bin', 0, chunk)
  await journal.begin([{ key: 'file.bin', record: entry.record }])
  await journal.note('file.bin', 0, notes)
  const source = recorded(CONTENT)
  t.same(told(await send(place, source, journal)), [`file.bin ${CONTENT.length}`])
  t.not((await idsOf(place))[0], id, 'what has left without a note is not sealed again')
  t.same(await digestOf(place), [sha256(CONTENT)])
})

t.test('no byte of a chunk leaves before it is noted, and none is noted twice', async (t) => {
  const place = await startPlace(t)
  const inner = new MemoryJournal()
  const order: string[] = []
  let noted = 0
  const journal: SendJournal = {
    load: (key) => inner.load(key),
    done: (keys) => inner.done(keys),
    noted: (key, first, count) => inner.noted(key, first, count),
    begin: async (begun) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      order.push('begun')
      await inner.begin(begun)
    },
    note: async (key: string, first: number, chunks: readonly ChunkNote[]) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      await inner.note(key, first, chunks)
      noted = first + chunks.length
    }
  }
  const left: boolean[] = []
  const watching = {
    server: place.connection.server,
    fetch: async (url: string, init: RequestInit) => {
      if (init.method === 'POST') order.push('sent')
      if (init.method === 'PATCH' && init.body instanceof Uint8Array) {
        const end = Number(new Headers(init.headers).get('upload-offset')) + init.body.length
        left.push((end - HEADER) / (CHUNK + TAG) <= noted)
      }
      return await fetch(url, init)
    }
  }
  await collect(sendFiles(watching, place.creator, [recorded(CONTENT)], { journal }))
  t.same(order, ['begun', 'sent'])
  t.ok(left.length > 1)
  t.ok(left.every(Boolean))
})

t.test('a server that forgets', async (t) => {
  const contentKey = newContentKey()
  const member = memberOf('creator', contentKey)
  for (const offset of [0, 1, HEADER + 3 * (CHUNK + TAG) + 5]) {
    await t.test(`all behind ${offset}`, async (t) => {
      const stub = await startStubTus(t)
      stub.forget(2, offset)
      const source = recorded(CONTENT)
      await collect(sendFiles(stub.connection, member, [source], { journal: new MemoryJournal(), retry: QUICK }))
      const [id] = stub.begun
      if (!isFileId(id)) throw new Error('no file id')
      t.equal(stub.conflicts(), 0, 'what came again was the same')
      t.same(source.reads, [0, Math.max(0, Math.floor((offset - HEADER) / (CHUNK + TAG))) * CHUNK])
      const container = { async * [Symbol.asyncIterator] () { yield await Promise.resolve(stub.bytes(id)) } }
      t.equal(sha256(await bytesOf(openStream(container, { contentKey, fileId: id, writers: 'B' }))), sha256(CONTENT))
    })
  }
  await t.test('a source that has changed meanwhile is not sealed under the same salt', async (t) => {
    const stub = await startStubTus(t)
    stub.forget(2, 0)
    const other = randomContent(CONTENT.length)
    let reads = 0
    const source = { ...recorded(CONTENT), read: (offset: number, signal: AbortSignal) => recorded(reads++ === 0 ? CONTENT : other).read(offset, signal) }
    await collect(sendFiles(stub.connection, member, [source], { journal: new MemoryJournal(), retry: QUICK }))
    t.equal(stub.begun.length, 2, 'another id')
    t.equal(stub.conflicts(), 0)
  })
  await t.test('without a journal nothing is sealed twice', async (t) => {
    const stub = await startStubTus(t)
    stub.forget(2, 0)
    await collect(sendFiles(stub.connection, member, [recorded(CONTENT)], { retry: QUICK }))
    t.equal(stub.begun.length, 2, 'another id')
    t.equal(stub.conflicts(), 0)
  })
})

t.test('small sources that an earlier process has sent are not sent again', async (t) => {
  const place = await startPlace(t)
  const journal = new MemoryJournal()
  const sources = (): Array<ReturnType<typeof recorded>> => [...Array(20).keys()].map((i) => recorded(Uint8Array.of(i), { name: `small-${i}` }))
  const lost = watched(place.connection, (line) => line === 'POST upload')
  await t.rejects(collect(sendFiles(lost.connection, place.creator, sources(), { journal, retry: { tries: 1, delay: 1, longest: 1 } })), { code: 'NETWORK' })
  t.equal((await idsOf(place)).length, 20, 'though its sender has not heard of it')
  const again = sources()
  const { connection, lines } = watched(place.connection)
  const outcomes = await collect(sendFiles(connection, place.creator, [...again, recorded(Uint8Array.of(1), { name: 'new' })], { journal }))
  t.same(told(outcomes).sort(), [...again.map(({ name }) => `${name} 1 resumed`), 'new 1'].sort())
  t.same(lines, ['GET files', 'POST upload'])
  t.same(again.flatMap(({ reads }) => reads), [], 'nor read')
  const changed = await collect(sendFiles(place.connection, place.creator, [recorded(Uint8Array.of(1, 2), { name: 'small-0' })], { journal }))
  t.same(told(changed), ['small-0 2'])
  t.equal((await idsOf(place)).length, 21, 'what has changed replaces what was sent')
})

t.test('sources of one name are told apart', async (t) => {
  const place = await startPlace(t)
  const journal = new MemoryJournal()
  for (const expected of [['same 1', 'same 2'], ['same 1 resumed', 'same 2 resumed']]) {
    const sources = [recorded(Uint8Array.of(1), { name: 'same' }), recorded(Uint8Array.of(1, 2), { name: 'same' })]
    t.same(told(await collect(sendFiles(place.connection, place.creator, sources, { journal }))), expected)
  }
})

t.test('in a managed session another process goes on at the byte', async (t) => {
  const place = await startManagedPlace(t)
  const journal = new MemoryJournal()
  await interrupted(t, place, recorded(CONTENT), journal, 22 * CHUNK + 999)
  const offset = await offsetOf(place)
  t.ok(offset > 0)
  const source = recorded(CONTENT)
  t.same(told(await send(place, source, journal)), [`file.bin ${CONTENT.length} resumed`])
  t.same(source.reads, [offset])
  t.same(await digestOf(place), [sha256(CONTENT)])
})

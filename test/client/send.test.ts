import t from 'tap'
import { listFiles, type OfferedFile } from '../../client/offers.js'
import { receiveFile } from '../../client/receive.js'
import { sendFiles } from '../../client/send.js'
import { streamSource, textSource } from '../../client/source.js'
import { randomContent } from '../helpers/client.js'
import { startCuttingProxy } from './fixtures-transfer/cutting-proxy.js'
import { bytesOf, CHUNK, collect, recorded, sha256, startManagedPlace, startPlace, told, watched, QUICK, type Place } from './fixtures-transfer/place.js'

/** What the other member gets of all that is there, by name. */
async function contents ({ connection, creator, joiner }: Place, reader = joiner): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for await (const offer of listFiles(connection, reader === joiner ? joiner : creator)) {
    if ('error' in offer) throw offer.error
    found.set(offer.name, sha256(await bytesOf(receiveFile(connection, reader, offer))))
  }
  return found
}

t.test('files of every size around a chunk come as they were', async (t) => {
  const place = await startPlace(t)
  const sizes = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17]
  const sources = sizes.map((size) => recorded(randomContent(size), { name: `folder/${size}.bin` }))
  const outcomes = await collect(sendFiles(place.connection, place.creator, sources))
  t.same(told(outcomes).sort(), sizes.map((size) => `folder/${size}.bin ${size}`).sort())
  const found = await contents(place)
  for (const source of sources) t.equal(found.get(source.name), sha256(source.content), source.name)
})

t.test('a joiner sends to the creator', async (t) => {
  const place = await startPlace(t)
  const content = randomContent(CHUNK + 5)
  await collect(sendFiles(place.connection, place.joiner, [recorded(content), textSource('hello')]))
  const found = await contents(place, place.creator)
  t.same([...found.entries()].sort(), [['file.bin', sha256(content)], ['message.txt', sha256(Buffer.from('hello'))]])
  t.same(await collect(listFiles(place.connection, place.joiner)), [], 'nobody is offered his own')
})

t.test('a stream of unknown length', async (t) => {
  const place = await startPlace(t)
  const content = randomContent(3 * CHUNK)
  for (const [name, bytes] of [['long', content], ['empty', new Uint8Array()]] as const) {
    const source = streamSource(recorded(bytes).read(0, new AbortController().signal), { name })
    t.same(told(await collect(sendFiles(place.connection, place.creator, [source]))), [`${name} ${bytes.length}`])
  }
  t.same([...(await contents(place)).entries()].sort(), [['empty', sha256(new Uint8Array())], ['long', sha256(content)]])
})

t.test('what a file is goes along', async (t) => {
  const { connection, creator, joiner } = await startPlace(t)
  const source = recorded(randomContent(10), { name: 'a/b c.sh', mode: 0o100755 })
  await collect(sendFiles(connection, creator, [source, { ...recorded(new Uint8Array(), { name: 'empty folder' }), kind: 'directory' }], { maxDownloads: 3 }))
  const offers = await collect(listFiles(connection, joiner))
  t.match(offers, [
    { name: 'a/b c.sh', size: 10, type: 'application/octet-stream', modified: source.modified.toISOString(), mode: 0o755, state: 'ready', writer: 'B', stored: 92 + 10 + 16 },
    { name: 'empty folder', kind: 'directory', size: 0 }
  ])
})

t.test('over cuts in the middle of a piece', async (t) => {
  const place = await startPlace(t)
  const proxy = await startCuttingProxy(t, place.server.origin)
  const content = randomContent(30 * CHUNK + 1)
  const source = recorded(content)
  proxy.cut('up', CHUNK / 2, CHUNK, 3 * CHUNK + 7, 4 * CHUNK, 3 * CHUNK, 3 * CHUNK, 3 * CHUNK)
  const sent: number[] = []
  const outcomes = await collect(sendFiles(proxy.connection, place.creator, [source], { retry: QUICK, onProgress: (progress) => sent.push(progress.sent) }))
  t.same(told(outcomes), [`file.bin ${content.length}`])
  t.equal(proxy.cuts(), 7, 'more often than one fails in a row')
  t.same(source.reads, [0], 'what is in memory is not read again')
  t.same(sent, [...sent].sort((a, b) => a - b))
  t.equal(sent.at(-1), content.length)
  t.equal((await contents(place)).get('file.bin'), sha256(content))
})

t.test('over answers that are lost', async (t) => {
  const place = await startPlace(t)
  const content = randomContent(5 * CHUNK)
  let requests = 0
  const lossy = watched(place.connection, () => ++requests % 2 === 1)
  const outcomes = await collect(sendFiles(lossy.connection, place.creator, [recorded(content), recorded(randomContent(5), { name: 'small' })], { retry: QUICK }))
  t.same(told(outcomes).sort(), [`file.bin ${content.length}`, 'small 5'])
  t.equal((await contents(place)).get('file.bin'), sha256(content))
})

t.test('a server that is away for too long ends it with NETWORK, and an abort with its reason', async (t) => {
  const place = await startPlace(t)
  const gone = { server: 'http://127.0.0.1:9' }
  await t.rejects(collect(sendFiles(gone, place.creator, [recorded(randomContent(2 * CHUNK))], { retry: QUICK })), { code: 'NETWORK' })
  const reason = new Error('enough')
  const controller = new AbortController()
  const stopping = watched(place.connection, (line) => {
    if (line.startsWith('PATCH')) controller.abort(reason)
    return false
  })
  await t.rejects(collect(sendFiles(stopping.connection, place.creator, [recorded(randomContent(2 * CHUNK))], { signal: controller.signal })), reason)
  const never = { async * [Symbol.asyncIterator] (): AsyncGenerator<Uint8Array, void> { await new Promise(() => {}) } }
  const waiting = new AbortController()
  setTimeout(() => { waiting.abort(reason) }, 50)
  await t.rejects(collect(sendFiles(place.connection, place.creator, [streamSource(never, { name: 'never' })], { signal: waiting.signal })), reason, 'even if the source says nothing')
})

t.test('one source that fails does not keep the others', async (t) => {
  const place = await startPlace(t, { MAX_FILE_SIZE: '2MiB' })
  const unreadable = { ...recorded(randomContent(5)), name: 'unreadable', read: () => { throw new Error('EACCES') } }
  const shorter = { ...recorded(randomContent(2 * CHUNK)), name: 'shorter', size: 3 * CHUNK }
  const longer = { ...recorded(randomContent(9)), name: 'longer', size: 8 }
  const large = recorded(randomContent(2 ** 21 + CHUNK), { name: 'large' })
  const outcomes = await collect(sendFiles(place.connection, place.creator, [unreadable, shorter, longer, large, recorded(randomContent(7))], { retry: QUICK }))
  t.same(told(outcomes).sort(), ['file.bin 7', 'large FILE_TOO_LARGE', 'longer SOURCE_CHANGED', 'shorter SOURCE_CHANGED', 'unreadable SOURCE_FAILED'])
  t.match(await collect(listFiles(place.connection, place.joiner)), [{ name: 'file.bin' }], 'and leaves nothing')
})

t.test('a source that changes is sent as it is then', async (t) => {
  const place = await startPlace(t)
  const [before, after] = [randomContent(3 * CHUNK), randomContent(4 * CHUNK)]
  const source = { ...recorded(before), size: 3 * CHUNK + 1, renew: () => Promise.resolve(recorded(after)) }
  const outcomes = await collect(sendFiles(place.connection, place.creator, [source]))
  t.same(told(outcomes), [`file.bin ${after.length}`])
  t.same([...(await contents(place)).entries()], [['file.bin', sha256(after)]])
})

t.test('in a managed session the same ways carry plain bytes', async (t) => {
  const place = await startManagedPlace(t)
  const proxy = await startCuttingProxy(t, place.server.origin)
  const content = randomContent(10 * CHUNK + 3)
  proxy.cut('up', CHUNK + 99)
  const stream = streamSource(recorded(content).read(0, new AbortController().signal), { name: 'stream.bin' })
  const outcomes = await collect(sendFiles(proxy.connection, place.joiner, [recorded(content, { name: 'large.bin' }), stream, recorded(randomContent(9), { name: 'small "1".bin' })], { retry: QUICK }))
  t.same(told(outcomes).sort(), [`large.bin ${content.length}`, 'small "1".bin 9', `stream.bin ${content.length}`])
  t.equal(proxy.cuts(), 1)
  const found = await contents(place, place.creator)
  t.equal(found.get('large.bin'), sha256(content))
  t.equal(found.get('stream.bin'), sha256(content))
  const offers = await collect(listFiles(place.connection, place.creator))
  t.match(offers.find((offer): offer is OfferedFile => 'name' in offer && offer.name === 'large.bin'), { writer: 'S', size: content.length, sha256: sha256(content) })
})

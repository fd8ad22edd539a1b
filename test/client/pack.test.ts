import t from 'tap'
import { listFiles, type OfferedFile } from '../../client/offers.js'
import { isSmallOffer, receiveMany } from '../../client/receive-many.js'
import { sendFiles } from '../../client/send.js'
import { directorySource, textSource } from '../../client/source.js'
import { call, randomContent } from '../helpers/client.js'
import { startCuttingProxy } from './fixtures-transfer/cutting-proxy.js'
import { collect, DAY, QUICK, recorded, sha256, startManagedPlace, startPlace, told, watched, type Place } from './fixtures-transfer/place.js'

/** Bytes up to which a source goes with others. */
const SMALL = 2 ** 18

async function offered ({ connection, joiner }: Place): Promise<OfferedFile[]> {
  return (await collect(listFiles(connection, joiner))).map((offer) => {
    if ('error' in offer) throw offer.error
    return offer
  })
}

const times = (count: number, line: string): string[] => Array.from({ length: count }, () => line)

const small = (count: number, size = 30): Array<ReturnType<typeof recorded>> =>
  [...Array(count).keys()].map((i) => recorded(randomContent(1 + (i * size) % 3001), { name: `folder/${i % 20}/${i}` }))

t.test('two thousand small files take few requests each way', async (t) => {
  const place = await startPlace(t)
  const files = small(2000)
  const sources = [...files, directorySource('folder/empty', DAY), textSource('hello')]
  const sending = watched(place.connection)
  const outcomes = await collect(sendFiles(sending.connection, place.creator, sources))
  t.same(told(outcomes).sort(), sources.map(({ name, size }) => `${name} ${size ?? 0}`).sort())
  t.same(sending.lines, times(5, 'POST upload'))

  const receiving = watched(place.connection)
  const offers: OfferedFile[] = []
  for await (const offer of listFiles(receiving.connection, place.joiner)) if (!('error' in offer)) offers.push(offer)
  t.equal(offers.length, 2002)
  t.ok(offers.every(isSmallOffer))
  t.match(offers.find(({ name }) => name === 'folder/empty'), { kind: 'directory', size: 0 })
  t.match(offers.find(({ name }) => name === 'message.txt'), { kind: 'text', size: 5 })
  const digests = new Map<string, string>()
  for await (const one of receiveMany(receiving.connection, place.joiner, offers)) digests.set(one.file.name, 'error' in one ? one.error.code : sha256(one.content))
  t.same(receiving.lines, [...times(3, 'GET files'), ...times(5, 'POST download')])
  t.same(files.filter(({ name, content }) => digests.get(name) !== sha256(content)), [])
  t.equal(digests.size, 2002)
})

t.test('a batch ends at its bytes as well', async (t) => {
  const place = await startPlace(t)
  const { connection, lines } = watched(place.connection)
  const sources = [...Array(70).keys()].map((i) => recorded(randomContent(SMALL), { name: String(i) }))
  await collect(sendFiles(connection, place.creator, sources))
  t.same(lines, times(3, 'POST upload'))
  const offers = await offered(place)
  const came = await collect(receiveMany(connection, place.joiner, offers))
  t.same(came.map((one) => 'error' in one ? one.error.code : sha256(one.content)).sort(), sources.map(({ content }) => sha256(content)).sort())
  t.same(lines.slice(3), times(2, 'POST download'))
})

t.test('large files between them do not make more requests', async (t) => {
  const place = await startPlace(t)
  const { connection, lines } = watched(place.connection)
  const sources = small(10).flatMap((source, i) => [source, ...i % 5 === 0 ? [recorded(randomContent(SMALL + 1), { name: `large-${i}` })] : []])
  const outcomes = await collect(sendFiles(connection, place.creator, sources))
  t.equal(outcomes.length, 12)
  t.equal(lines.filter((line) => line === 'POST upload').length, 1)
})

t.test('a request of which the outcome is not known', async (t) => {
  for (const [name, startIt] of [['end-to-end', startPlace], ['managed', startManagedPlace]] as const) {
    const place = await startIt(t)
    let lost = 0
    const { connection, lines } = watched(place.connection, (line) => line === 'POST upload' && lost++ === 0)
    const outcomes = await collect(sendFiles(connection, place.creator, small(30), { retry: QUICK }))
    t.equal(outcomes.filter((outcome) => 'fileId' in outcome).length, 30)
    t.same(lines, ['POST upload', 'GET files'], `${name}: arrived, though the answer was lost`)
    t.equal((await offered(place)).length, 30)
  }
  const place = await startPlace(t)
  const proxy = await startCuttingProxy(t, place.server.origin)
  proxy.cut('up', 20_000)
  const bodies: Uint8Array[] = []
  const watching = {
    server: proxy.connection.server,
    fetch: async (url: string, init: RequestInit) => {
      if (init.body instanceof Uint8Array) bodies.push(init.body)
      return await fetch(url, init)
    }
  }
  await collect(sendFiles(watching, place.creator, small(100), { retry: QUICK }))
  const offers = await offered(place)
  t.equal(offers.length, 100, 'broken, so sent again')
  t.equal(bodies.length, 2)
  const [first, second] = bodies.map((body) => Buffer.from(body).toString('latin1').replaceAll(/local-send-[0-9a-f]{32}/g, ''))
  t.ok(first === second, 'as the very same bytes')
})

t.test('an unreadable one goes without the others', async (t) => {
  const place = await startPlace(t)
  const bad = { ...recorded(randomContent(5)), name: 'bad', read: () => { throw new Error('EACCES') } }
  const named = { ...recorded(randomContent(5)), name: 'x'.repeat(5000) }
  const renewed = { ...recorded(randomContent(5), { name: 'renewed' }), size: 6, renew: () => Promise.resolve(recorded(randomContent(7), { name: 'renewed' })) }
  const outcomes = await collect(sendFiles(place.connection, place.creator, [...small(3), bad, named, renewed]))
  t.same(told(outcomes).map((line) => line.replace(/^x+/, 'x')).filter((line) => !line.startsWith('folder')).sort(), ['bad SOURCE_FAILED', 'renewed 7', 'x SOURCE_FAILED'])
  t.equal((await offered(place)).length, 4)
})

t.test('one that the server refuses goes without the others', async (t) => {
  const place = await startManagedPlace(t, { ALLOWED_EXTENSIONS: 'txt' })
  const sources = ['a.txt', 'b.exe', 'c.txt', 'd.txt', 'e.exe'].map((name) => recorded(randomContent(9), { name }))
  t.same(told(await collect(sendFiles(place.connection, place.creator, sources))).sort(), ['a.txt 9', 'b.exe FILE_TYPE_NOT_ALLOWED', 'c.txt 9', 'd.txt 9', 'e.exe FILE_TYPE_NOT_ALLOWED'])
})

t.test('receiving: over cuts, past what is gone and past what is damaged', async (t) => {
  const place = await startPlace(t)
  await collect(sendFiles(place.connection, place.creator, small(120, 700)))
  const offers = await offered(place)
  const proxy = await startCuttingProxy(t, place.server.origin)
  proxy.cut('down', 10_000, 50_000)
  const came = await collect(receiveMany(proxy.connection, place.joiner, offers, { retry: QUICK }))
  t.equal(proxy.cuts(), 2)
  t.same(came.map(({ file }) => file.fileId), offers.map(({ fileId }) => fileId), 'each once, in order')
  t.ok(came.every((one) => 'content' in one && one.content.length === one.file.size))

  const [gone, other, ...others] = offers
  if (gone === undefined || other === undefined) throw new Error('too few')
  await call(`${place.server.origin}/api/session/${place.creator.sessionId}/files/${gone.fileId}`, { method: 'DELETE', token: place.creator.token })
  const rest = await collect(receiveMany(place.connection, place.joiner, offers, { retry: QUICK }))
  t.same(rest.flatMap((one) => 'error' in one ? [`${one.file.fileId} ${one.error.code}`] : []), [`${gone.fileId} FILE_NOT_FOUND`])

  const wrongSize = await collect(receiveMany(place.connection, place.joiner, [{ ...other, size: (other.size ?? 0) + 1 }, ...others.slice(0, 2)]))
  t.same(wrongSize.map((one) => 'error' in one ? one.error.code : 'content'), ['FILE_DAMAGED', 'content', 'content'])
})

t.test('containers that were exchanged', async (t) => {
  const place = await startPlace(t)
  await collect(sendFiles(place.connection, place.creator, small(4, 0)))
  const offers = await offered(place)
  const exchanging = {
    server: place.connection.server,
    fetch: async (url: string, init: RequestInit) => {
      const body = JSON.parse(typeof init.body === 'string' ? init.body : '') as { file_ids: string[] }
      const [a, b, ...others] = body.file_ids
      return await fetch(url, { ...init, body: JSON.stringify({ file_ids: [b, a, ...others] }) })
    }
  }
  const came = await collect(receiveMany(exchanging, place.joiner, offers))
  t.same(came.map((one) => 'error' in one ? one.error.code : 'content'), ['FILE_DAMAGED', 'FILE_DAMAGED', 'content', 'content'])
  const [first] = offers
  if (first === undefined) throw new Error('nothing')
  await t.rejects(collect(receiveMany(place.connection, place.joiner, [{ ...first, state: 'uploading' }])), RangeError)
})

t.test('receiving them in a managed session', async (t) => {
  const place = await startManagedPlace(t)
  const sources = [...small(10), recorded(new Uint8Array(), { name: 'empty' })]
  await collect(sendFiles(place.connection, place.creator, sources))
  const offers = await offered(place)
  const came = await collect(receiveMany(place.connection, place.joiner, offers))
  t.same(came.map((one) => 'error' in one ? one.error.code : sha256(one.content)).sort(), sources.map(({ content }) => sha256(content)).sort())
  const doubtful = offers.map((file) => ({ ...file, sha256: '0'.repeat(64) }))
  t.ok((await collect(receiveMany(place.connection, place.joiner, doubtful))).every((one) => 'error' in one && one.error.code === 'FILE_DAMAGED'))
})

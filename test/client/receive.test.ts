import t from 'tap'
import { listFiles, type OfferedFile } from '../../client/offers.js'
import { confirmReceived, receiveFile, type ReceiveStart } from '../../client/receive.js'
import { sendFiles } from '../../client/send.js'
import { createHash } from 'node:crypto'
import { call, randomContent } from '../helpers/client.js'
import { beginUpload, metadata, sendPiece } from '../helpers/tus.js'
import { concat, toBase64url, type Bytes } from '../../lib/crypto/bytes.js'
import { sealStream, type Writer } from '../../lib/crypto/container.js'
import { sealMetadata } from '../../lib/crypto/metadata.js'
import type { FileId } from '../../lib/ids.js'
import { newFileId } from '../../lib/new-ids.js'
import { startCuttingProxy } from './fixtures-transfer/cutting-proxy.js'
import { bytesOf, CHUNK, codeOf, collect, DAY, HEADER, QUICK, recorded, sha256, startManagedPlace, startPlace, TAG, type Place } from './fixtures-transfer/place.js'

const CONTENT = randomContent(20 * CHUNK + 77)

/** The only file that the other member is offered. */
async function offered ({ connection, joiner }: Place): Promise<OfferedFile> {
  const [offer] = await collect(listFiles(connection, joiner))
  if (offer === undefined || 'error' in offer) throw new Error('nothing is offered')
  return offer
}

async function sent (place: Place, content: Uint8Array = CONTENT): Promise<OfferedFile> {
  await collect(sendFiles(place.connection, place.creator, [recorded(content)]))
  return await offered(place)
}

t.test('over cuts in the middle of a download', async (t) => {
  const place = await startPlace(t)
  const file = await sent(place)
  const proxy = await startCuttingProxy(t, place.server.origin)
  proxy.cut('down', 50, 1000, 3 * CHUNK, CHUNK, 2 * CHUNK, 2 * CHUNK, 2 * CHUNK, 2 * CHUNK, 2 * CHUNK)
  t.equal(sha256(await bytesOf(receiveFile(proxy.connection, place.joiner, file, { retry: QUICK }))), sha256(CONTENT))
  t.equal(proxy.cuts(), 9, 'more often than one fails in a row')
})

t.test('another process goes on behind what it holds', async (t) => {
  const place = await startPlace(t)
  const file = await sent(place)
  let header: Bytes | undefined
  const whole = await bytesOf(receiveFile(place.connection, place.joiner, file, { onStart: (start) => { header = start.header } }))
  t.equal(header?.length, HEADER)
  const cases = [[0, 0], [1, 0], [CHUNK, 0], [CHUNK + 1, CHUNK], [5 * CHUNK, 4 * CHUNK], [CONTENT.length, 20 * CHUNK], [2 * CONTENT.length, 20 * CHUNK]] as const
  for (const [from, at] of cases) {
    for (const known of [undefined, header]) {
      const starts: ReceiveStart[] = []
      const rest = await bytesOf(receiveFile(place.connection, place.joiner, file, { from, header: known, onStart: (start) => { starts.push(start) } }))
      t.match(starts, [{ at, header }])
      t.ok(Buffer.from(rest).equals(whole.subarray(at)), `from=${from},known=${String(known !== undefined)}`)
    }
  }
  const other = (await sealed(place, file.fileId, CONTENT)).slice(0, HEADER)
  for (const from of [0, CHUNK]) {
    t.equal(await codeOf(bytesOf(receiveFile(place.connection, place.joiner, file, { from, header: other }))), 'FILE_DAMAGED', `from=${from}: of another container nothing is taken`)
  }
})

t.test('what begins goes on while it is being sent, over an interruption of either side', async (t) => {
  const place = await startPlace(t)
  const id = newFileId()
  const container = await sealed(place, id, CONTENT)
  const { url } = await begin(place, id, CONTENT.length, { 'upload-defer-length': '1' })
  await sendPiece(url, place.creator.token, 0, container.slice(0, 3 * CHUNK))
  const file = await offered(place)
  t.match(file, { state: 'uploading', stored: null, size: CONTENT.length })
  const proxy = await startCuttingProxy(t, place.server.origin)
  proxy.cut('down', CHUNK)
  const received = bytesOf(receiveFile(proxy.connection, place.joiner, file, { retry: { ...QUICK, tries: 50 } }))
  await sendPiece(url, place.creator.token, 3 * CHUNK, container.slice(3 * CHUNK, 9 * CHUNK))
  await sendPiece(url, place.creator.token, 9 * CHUNK, container.slice(9 * CHUNK), { 'upload-length': String(container.length) })
  t.equal(sha256(await received), sha256(CONTENT))
  t.equal(proxy.cuts(), 1)
})

/** A container as a sender would seal it, or one who means ill. */
const sealed = async ({ creator }: Place, fileId: FileId, content: Uint8Array, writer: Writer = 'B'): Promise<Bytes> => {
  const { contentKey } = creator
  if (contentKey === undefined) throw new Error('no content key')
  return concat(...await collect(sealStream(recorded(content).read(0, new AbortController().signal), { contentKey, fileId, writer })))
}

async function begin ({ creator }: Place, fileId: FileId, size: number | null, headers: Record<string, string>): Promise<{ url: string }> {
  const { contentKey, sessionId, server, token } = creator
  if (contentKey === undefined) throw new Error('no content key')
  const description = await sealMetadata({ name: 'file.bin', size, type: '', modified: DAY.toISOString() }, { contentKey, fileId, writer: 'B' })
  const session = { id: sessionId, code: '', token, url: `${server}/api/session/${sessionId}` }
  const { url, answer } = await beginUpload(session, token, { 'upload-metadata': metadata({ file_id: fileId, metadata: toBase64url(description) }), ...headers })
  if (answer.status !== 201) throw new Error(`${answer.summary} ${JSON.stringify(answer.body)}`)
  return { url }
}

t.test('what is not as it was sent never comes as if it were', async (t) => {
  const place = await startPlace(t)
  const file = await sent(place)
  const own = await fetchContainer(place, file.fileId)
  const other = await sealed(place, file.fileId, randomContent(CONTENT.length))
  const otherId = await sealed(place, newFileId(), CONTENT)
  const chunk = CHUNK + TAG
  const at = (i: number): number => HEADER + i * chunk
  const flipped = (i: number): Bytes => own.map((byte, j) => j === i ? byte ^ 1 : byte)
  const cases: Record<string, Bytes> = {
    'cut behind a chunk': own.slice(0, at(5)),
    'cut inside a chunk': own.slice(0, at(5) + 1000),
    'cut by its last byte': own.slice(0, -1),
    'cut to its header': own.slice(0, HEADER),
    'cut inside its header': own.slice(0, 50),
    empty: new Uint8Array(),
    'with a byte behind it': concat(own, Uint8Array.of(0)),
    'with a chunk behind it': concat(own, own.subarray(at(0), at(1))),
    'with a byte of the header changed': flipped(70),
    'with a byte of a chunk changed': flipped(at(3) + 5),
    'with its last byte changed': flipped(own.length - 1),
    'with two chunks swapped': concat(own.subarray(0, at(1)), own.subarray(at(2), at(3)), own.subarray(at(1), at(2)), own.subarray(at(3))),
    'with a chunk twice': concat(own.subarray(0, at(2)), own.subarray(at(1))),
    'with a chunk of another container': concat(own.subarray(0, at(2)), other.subarray(at(2), at(3)), own.subarray(at(3))),
    'another container under another id': otherId,
    'by another writer': await sealed(place, file.fileId, CONTENT, 'A'),
    'another, shorter one': await sealed(place, file.fileId, CONTENT.subarray(1)),
    'another, longer one': await sealed(place, file.fileId, concat(CONTENT, Uint8Array.of(1))),
    'another one of no bytes': await sealed(place, file.fileId, new Uint8Array())
  }
  for (const [name, bytes] of Object.entries(cases)) {
    const lying = { server: place.connection.server, fetch: () => Promise.resolve(new Response(bytes, { headers: { 'content-length': String(bytes.length), etag: '"x"' } })) }
    let came = 0
    const receiving = (async () => { for await (const piece of receiveFile(lying, place.joiner, file, { retry: QUICK })) came += piece.length })()
    t.equal(await codeOf(receiving), 'FILE_DAMAGED', name)
    t.ok(came < CONTENT.length, `${name}: its end did not come`)
  }
  const honest = { server: place.connection.server, fetch: () => Promise.resolve(new Response(own, { headers: { 'content-length': String(own.length) } })) }
  t.equal(sha256(await bytesOf(receiveFile(honest, place.joiner, file))), sha256(CONTENT), 'and the same way, what was sent comes')
})

async function fetchContainer ({ creator: { server, sessionId, token } }: Place, fileId: FileId): Promise<Bytes> {
  const response = await fetch(`${server}/api/session/${sessionId}/download/${fileId}`, { headers: { authorization: `Bearer ${token}` } })
  return new Uint8Array(await response.arrayBuffer())
}

t.test('a server that has another file after a break', async (t) => {
  const place = await startPlace(t)
  const file = await sent(place)
  const own = await fetchContainer(place, file.fileId)
  let requests = 0
  const changing = {
    server: place.connection.server,
    fetch: () => Promise.resolve(new Response(requests++ === 0 ? own.subarray(0, 5 * CHUNK) : own, { headers: { 'content-length': String(own.length), etag: `"${requests}"` } }))
  }
  t.equal(await codeOf(bytesOf(receiveFile(changing, place.joiner, file, { retry: QUICK }))), 'FILE_DAMAGED')
  requests = 0
  const steady = { server: place.connection.server, fetch: () => Promise.resolve(new Response(requests++ === 0 ? own.subarray(0, 5 * CHUNK) : own, { headers: { 'content-length': String(own.length), etag: '"same"' } })) }
  t.equal(sha256(await bytesOf(receiveFile(steady, place.joiner, file, { retry: QUICK }))), sha256(CONTENT), 'one that knows no ranges sends all, of which the rest is taken')
})

t.test('gives up after fruitless tries, and at once when told to', async (t) => {
  const place = await startPlace(t)
  const file = await sent(place)
  let requests = 0
  const silent = { server: place.connection.server, fetch: () => { requests += 1; return Promise.reject(new TypeError('no network')) } }
  t.equal(await codeOf(bytesOf(receiveFile(silent, place.joiner, file, { retry: QUICK }))), 'NETWORK')
  t.equal(requests, QUICK.tries)
  const reason = new Error('enough')
  const controller = new AbortController()
  const receiving = (async () => {
    for await (const piece of receiveFile(place.connection, place.joiner, file, { signal: controller.signal })) {
      if (piece.length > 0) controller.abort(reason)
    }
  })()
  await t.rejects(receiving, reason)
  await call(`${place.server.origin}/api/session/${place.creator.sessionId}/files/${file.fileId}`, { method: 'DELETE', token: place.creator.token })
  t.equal(await codeOf(bytesOf(receiveFile(place.connection, place.joiner, file, { retry: QUICK }))), 'FILE_NOT_FOUND')
})

t.test('the sender is told what was received', async (t) => {
  const place = await startPlace(t)
  const { fileId } = await sent(place)
  await confirmReceived(place.connection, place.joiner, [fileId])
  const { body } = await call(`${place.server.origin}/api/session/${place.creator.sessionId}/files`, { token: place.creator.token })
  t.match(body['files'], [{ file_id: fileId, received: 1 }])
})

t.test('in a managed session', async (t) => {
  const place = await startManagedPlace(t)
  const file = await sent(place)
  const proxy = await startCuttingProxy(t, place.server.origin)
  proxy.cut('down', 3 * CHUNK, CHUNK)
  const digest = (held = new Uint8Array()): { update: (bytes: Uint8Array) => void, hex: () => string } => {
    const hash = createHash('sha256').update(held)
    return { update: (bytes) => { hash.update(bytes) }, hex: () => hash.digest('hex') }
  }
  t.equal(sha256(await bytesOf(receiveFile(proxy.connection, place.joiner, file, { retry: QUICK, digest: digest() }))), sha256(CONTENT))
  t.equal(proxy.cuts(), 2)
  for (const from of [1, CHUNK + 7, CONTENT.length]) {
    const rest = await bytesOf(receiveFile(place.connection, place.joiner, file, { from, digest: digest(CONTENT.subarray(0, from)) }))
    t.ok(Buffer.from(rest).equals(CONTENT.subarray(from)), `from=${from}`)
  }
  t.equal(await codeOf(bytesOf(receiveFile(place.connection, place.joiner, file, { digest: digest(Uint8Array.of(1)) }))), 'FILE_DAMAGED', 'a digest that differs')
  t.equal(await codeOf(bytesOf(receiveFile(place.connection, place.joiner, { ...file, size: CONTENT.length - 1 }))), 'FILE_DAMAGED', 'another length')
})

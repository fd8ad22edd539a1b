import { once } from 'node:events'
import { get } from 'node:http'
import type { Socket } from 'node:net'
import t from 'tap'
import { toHex } from '../../lib/crypto/bytes.js'
import { joinerShare, passwordElement } from '../../lib/crypto/spake2.js'
import type { SessionId } from '../../lib/ids.js'
import { newFileId } from '../../lib/new-ids.js'
import { call, createSession, form, joinSession, PASSWORD, randomContent, uploadFile, type Answer, type TestSession } from '../helpers/client.js'
import { arrival, eventually, listen, typesOf, type EventReader } from '../helpers/events.js'
import { connectTo } from '../helpers/raw.js'
import { startServer, type TestServer } from '../helpers/server.js'

const CHUNK = 2 ** 18
const share = toHex(joinerShare(passwordElement(new Uint8Array(32).fill(7))).share)

const post = (url: string, token?: string, body?: object): Promise<Answer> => call(url, { method: 'POST', token, body })
const wrongCode = ({ code }: TestSession): string => code === '000000' ? '000001' : '000000'
const dataOf = (reader: EventReader, type: string) => reader.events.filter((event) => event.type === type).map(({ data }) => data)

t.test('everybody in the session hears in order what happens, and nothing secret', async (t) => {
  const { app, origin } = await startServer(t)
  const created = await post(`${origin}/api/session/create`, undefined, { password: PASSWORD, max_joiners: 2 })
  const id = String(created.body['session_id'])
  const session = { id, code: String(created.body['verification_code']), token: String(created.body['token']), url: `${origin}/api/session/${id}` }
  const ofCreator = await listen(session.url, session.token)
  t.equal(ofCreator.response.statusCode, 200)
  t.match(ofCreator.response.headers, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  t.match(ofCreator.raw, /^retry: \d+\n/)

  const joiner = await joinSession(session)
  const ofJoiner = await listen(session.url, joiner)
  const file = await uploadFile(session, session.token, randomContent(3 * CHUNK), 'a "name" ümlaut\nof two lines.bin')
  const received = `${session.url}/files/${file.file_id}/received`
  t.equal((await post(received, session.token)).summary, '403 OWN_FILE')
  for (let i = 0; i < 2; i++) t.equal((await post(received, joiner)).status, 204)
  t.equal((await post(`${session.url}/files/${newFileId()}/received`, joiner)).summary, '404 FILE_NOT_FOUND')
  const { body: list } = await call(`${session.url}/files`, { token: joiner })
  t.match(list, { files: [{ file_id: file.file_id, received: 1 }] })
  await call(`${session.url}/files/${file.file_id}`, { method: 'DELETE', token: session.token })

  const pending = await post(`${session.url}/join`, undefined, { verification_code: session.code, public_key: share })
  await post(`${session.url}/joins/${String(pending.body['join_id'])}/confirm`, String(pending.body['token']), { confirmation: 'ab'.repeat(32) })
  await post(`${session.url}/join`, undefined, { verification_code: session.code, password: 'a wrong password' })
  await post(`${session.url}/leave`, joiner)
  await eventually(() => ofJoiner.ended !== undefined)
  for (let i = 0; i < 4; i++) await post(`${session.url}/join`, undefined, { verification_code: wrongCode(session), password: PASSWORD })
  await post(`${session.url}/close`, session.token)
  await eventually(() => ofCreator.ended !== undefined)

  t.same(typesOf(ofCreator).filter((type) => type !== 'file.progress'), [
    'join.requested', 'join.joined',
    'file.started', 'file.ready', 'file.received', 'file.deleted',
    'join.requested', 'join.refused', 'join.requested', 'join.refused',
    'participant.left',
    'join.refused', 'join.refused', 'join.refused', 'session.locked',
    'session.closed'
  ])
  t.same(ofJoiner.events, ofCreator.events.slice(2, 2 + ofJoiner.events.length), 'the joiner heard the same, as long as it was in')
  t.equal(typesOf(ofJoiner).at(-1), 'participant.left')
  t.same([ofCreator.ended, ofJoiner.ended], ['complete', 'complete'])

  const common = { file_id: file.file_id, filename: file.filename }
  t.same(dataOf(ofCreator, 'file.started'), [{ ...common, size: null, uploaded_by: 'creator' }])
  t.same(dataOf(ofCreator, 'file.ready'), [{ ...common, size: file.size, sha256: file.sha256, uploaded_by: 'creator' }])
  t.same(dataOf(ofCreator, 'file.received'), [{ ...common, role: 'joiner', join_id: dataOf(ofCreator, 'join.joined')[0]?.['join_id'] }])
  t.same(dataOf(ofCreator, 'file.deleted'), [common])
  t.same(dataOf(ofCreator, 'join.refused').map(({ reason }) => reason), ['password', 'password', 'code', 'code', 'code'])
  t.equal(dataOf(ofCreator, 'join.refused')[0]?.['join_id'], pending.body['join_id'])
  const numbers = ofCreator.events.map((event) => Number(event.id.split('-')[1]))
  t.same(numbers, [...numbers.keys()].map((i) => i + 1), 'ids grow')

  const secrets = { PASSWORD, wrong: 'a wrong password', creator: session.token, joiner, pending: String(pending.body['token']), code: `"${session.code}"`, wrongCode: `"${wrongCode(session)}"`, share, theirs: String(created.body['public_key']), answered: String(pending.body['public_key']), confirmation: 'ab'.repeat(32) }
  for (const [name, secret] of Object.entries(secrets)) t.notOk(`${ofCreator.raw}${ofJoiner.raw}`.includes(secret), name)
  await eventually(() => app.eventStreams.size === 0)
})

t.test('a join that finds no place, and one that is given up', async (t) => {
  const { app, origin } = await startServer(t)
  const session = await createSession(origin)
  const reader = await listen(session.url, session.token)
  const pending = await post(`${session.url}/join`, undefined, { verification_code: session.code, public_key: share })
  t.equal(pending.status, 202)
  await t.rejects(app.joins.withPassword(session.id as SessionId, session.code, PASSWORD, undefined, AbortSignal.abort(new Error('hung up'))))
  t.same((await arrival(reader, 'join.refused')).data, { join_id: dataOf(reader, 'join.requested')[1]?.['join_id'], reason: 'given-up' })

  const two = { method: 'POST', body: { verification_code: session.code, password: PASSWORD } }
  const summaries = (await Promise.all([call(`${session.url}/join`, two), call(`${session.url}/join`, two)])).map(({ summary }) => summary).sort()
  t.same(summaries, ['200', '409 SESSION_FULL'])
  await eventually(() => dataOf(reader, 'join.refused').length === 2)
  t.match(dataOf(reader, 'join.refused')[1], { join_id: /^[0-9a-f]{16}$/, reason: 'full' })
  t.equal(dataOf(reader, 'join.joined').length, 1)
})

t.test('Last-Event-ID: nothing is lost and nothing comes twice; what is not remembered begins with reset', async (t) => {
  const { app, origin } = await startServer(t)
  const session = await createSession(origin)
  const all = await listen(session.url, session.token)
  const happen = (): void => { app.sessions.events.fileDeleted(session.id as SessionId, { id: newFileId(), name: 'x' }) }

  const heard: string[] = []
  let lastEventId = all.lastEventId
  for (let i = 0; i < 20; i++) {
    happen()
    const reader = await listen(session.url, session.token, lastEventId)
    happen()
    await eventually(() => reader.events.length >= 2)
    reader.response.destroy()
    lastEventId = reader.lastEventId
    heard.push(...reader.events.map((event) => event.id))
  }
  await eventually(() => all.events.length === 40)
  t.same(heard, all.events.map((event) => event.id))

  for (let i = 0; i < 100; i++) happen()
  await eventually(() => all.events.length === 140)
  const within = await listen(session.url, session.token, heard.at(-1))
  await eventually(() => within.events.length === 100)
  t.same(within.events, all.events.slice(40))
  for (const id of [heard.at(-2), 'nonsense', '']) {
    const reader = await listen(session.url, session.token, id)
    const latest = all.lastEventId
    happen()
    await eventually(() => reader.events.length >= 2)
    t.same(typesOf(reader), ['reset', 'file.deleted'])
    t.same(reader.events[0], { id: latest, type: 'reset', data: {} }, 'from there one can go on')
    await eventually(() => all.lastEventId === reader.lastEventId)
  }
})

t.test('signs of life keep a stream open where nothing happens', async (t) => {
  const cutAfter = 500
  const open = async (heartbeat: number): Promise<EventReader> => {
    const { app, origin } = await startServer(t, {}, { heartbeat })
    const session = await createSession(origin)
    app.server.setTimeout(cutAfter)
    return await listen(session.url, session.token)
  }
  const [living, silent] = await Promise.all([open(cutAfter / 10), open(3_600_000)])
  await eventually(() => silent.ended !== undefined)
  t.equal(silent.ended, 'broken', 'the idle limit cuts a stream on which nothing is sent')
  await eventually(() => living.comments >= 30 || living.ended !== undefined)
  t.equal(living.ended, undefined)
  t.same(living.events, [])
})

t.test('listening neither is use of a session nor keeps it alive; its end is the last event', async (t) => {
  let now = Date.now()
  const server = await startServer(t, { SESSION_TIMEOUT: '60' }, { clock: () => now })
  const session = await createSession(server.origin)
  now += 50_000
  const reader = await listen(session.url, session.token)
  now += 10_000
  t.equal(await server.app.sessions.sweep(), 1)
  await eventually(() => reader.ended !== undefined)
  t.same([typesOf(reader), reader.ended], [['session.closed'], 'complete'])
  t.equal((await listen(session.url, session.token)).response.statusCode, 401)
})

/** A client that takes not one byte of its stream. @returns the server's end of its connection */
async function listenDeafly (server: TestServer, session: TestSession): Promise<Socket> {
  const before = server.app.eventStreams.size
  const accepted = once(server.app.server, 'connection')
  const socket = await connectTo(server.origin)
  const [connection] = await accepted as [Socket]
  socket.pause().on('error', () => {})
  socket.write(`GET /api/session/${session.id}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${session.token}\r\n\r\n`)
  await eventually(() => server.app.eventStreams.size > before)
  return connection
}

/** Publishes large events until it is enough, each when the other listener has the one before. */
async function flood ({ app }: TestServer, session: TestSession, other: EventReader, enough: () => boolean): Promise<void> {
  const before = other.events.length
  let published = 0
  while (!enough()) {
    app.sessions.events.fileDeleted(session.id as SessionId, { id: newFileId(), name: 'x'.repeat(50_000) })
    published += 1
    await eventually(() => other.events.length === before + published)
  }
}

t.test('a reader that does not keep up is cut off, and no other; a stop ends all and waits for none', async (t) => {
  const server = await startServer(t)
  const session = await createSession(server.origin)
  const reader = await listen(session.url, session.token)
  await listenDeafly(server, session)
  await flood(server, session, reader, () => server.app.eventStreams.size === 1)
  t.equal(reader.ended, undefined)

  const full = await listenDeafly(server, session)
  await flood(server, session, reader, () => full.writableLength > 50_000)
  t.equal(server.app.eventStreams.size, 2)
  await server.app.close()
  await eventually(() => reader.ended !== undefined)
  t.equal(reader.ended, 'complete')
  t.notOk(typesOf(reader).includes('session.closed'), 'who comes back finds the session, where it outlives the process')
  t.equal(server.app.eventStreams.size, 0)
})

t.test('each participant may have ten streams', async (t) => {
  const { app, origin } = await startServer(t)
  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const readers = await Promise.all(Array.from({ length: 10 }, () => listen(session.url, session.token)))
  const refused = await call(`${session.url}/events`, { token: session.token })
  t.equal(refused.summary, '429 TOO_MANY_REQUESTS')
  t.match(refused.headers.get('retry-after'), /^\d+$/)
  t.equal((await listen(session.url, joiner)).response.statusCode, 200)
  readers[0]?.response.destroy()
  await eventually(() => app.eventStreams.size === 10)
  t.equal((await listen(session.url, session.token)).response.statusCode, 200)

  const head = get(`${session.url}/events`, { method: 'HEAD', headers: { authorization: `Bearer ${joiner}` } })
  t.match(await once(head, 'response'), [{ statusCode: 404 }], 'HEAD would hold a stream that nobody reads')
})

const putHead = ({ id, token }: TestSession, size: number): string =>
  `PUT /api/session/${id}/files/slow.bin HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-length: ${size}\r\n\r\n`

t.test('the other side sees a slow upload come along, in its events and in the status', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const reader = await listen(session.url, joiner)
  const size = 4 * CHUNK + 5
  const socket = await connectTo(origin)
  socket.write(putHead(session, size))
  socket.write(randomContent(2 * CHUNK + 1))
  await eventually(() => dataOf(reader, 'file.progress').at(-1)?.['offset'] === 2 * CHUNK)
  const { data: { file_id: id } } = await arrival(reader, 'file.started')
  const uploads = async (): Promise<unknown> => (await call(`${session.url}/status`, { token: joiner })).body['uploads']
  t.same(await uploads(), [{ file_id: id, filename: 'slow.bin', offset: 2 * CHUNK, size, uploaded_by: 'creator' }])
  t.equal((await post(`${session.url}/files/${String(id)}/received`, joiner)).summary, '404 FILE_NOT_FOUND', 'there is nothing to have yet')

  socket.write(randomContent(2 * CHUNK + 4))
  t.match((await arrival(reader, 'file.ready')).data, { file_id: id, size })
  t.same(await uploads(), [])
  t.ok(dataOf(reader, 'file.progress').every((data) => data['file_id'] === id && data['size'] === size))

  const broken = await connectTo(origin)
  broken.write(putHead(session, size))
  broken.write(randomContent(CHUNK + 1))
  await eventually(() => dataOf(reader, 'file.progress').at(-1)?.['offset'] === CHUNK)
  broken.destroy()
  const second = dataOf(reader, 'file.started')[1]?.['file_id']
  t.same((await arrival(reader, 'file.deleted')).data, { file_id: second, filename: 'slow.bin' })
  t.same(await uploads(), [])
  socket.destroy()
})

t.test('of several files in one request all become ready, or all are deleted', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const reader = await listen(session.url, session.token)
  const content = randomContent(CHUNK)
  const send = (sha256?: string) => call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form({ content, name: '1' }, { content, name: '2', ...(sha256 !== undefined && { sha256 }) }) })
  t.equal((await send('0'.repeat(64))).summary, '422 CHECKSUM_MISMATCH')
  t.equal((await send()).status, 201)
  await eventually(() => dataOf(reader, 'file.ready').length === 2)
  t.same(reader.events.filter(({ type }) => type !== 'file.progress').map(({ type, data }) => `${type} ${String(data['filename'])}`), [
    'file.started 1', 'file.started 2', 'file.deleted 1', 'file.deleted 2',
    'file.started 1', 'file.started 2', 'file.ready 1', 'file.ready 2'
  ])
})

t.test('an upload in pieces: one start, its progress wherever it stops, and its end', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const reader = await listen(session.url, joiner)
  const tus = { 'tus-resumable': '1.0.0' }
  const create = async (length: number): Promise<string> => {
    const { headers } = await call(`${session.url}/uploads`, { method: 'POST', token: session.token, headers: { ...tus, 'upload-length': String(length), 'upload-metadata': `filename ${btoa('piece.bin')}` } })
    return `${origin}${headers.get('location') ?? ''}`
  }
  const send = (url: string, offset: number, size: number) => call(url, {
    method: 'PATCH', token: session.token, body: new Blob([randomContent(size)]), headers: { ...tus, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }
  })
  const url = await create(1000)
  const { data: { file_id: id } } = await arrival(reader, 'file.started')
  t.ok(url.endsWith(String(id)))
  for (const offset of [0, 300, 600]) t.equal((await send(url, offset, 300)).status, 204)
  await eventually(() => dataOf(reader, 'file.progress').at(-1)?.['offset'] === 900)
  const { body } = await call(`${session.url}/status`, { token: joiner })
  t.same(body['uploads'], [{ file_id: id, filename: 'piece.bin', offset: 900, size: 1000, uploaded_by: 'creator' }])
  t.equal((await send(url, 900, 100)).status, 204)
  t.match((await arrival(reader, 'file.ready')).data, { file_id: id, filename: 'piece.bin', size: 1000 })

  const givenUp = await create(10)
  await call(givenUp, { method: 'DELETE', token: session.token, headers: tus })
  t.ok(givenUp.endsWith(String((await arrival(reader, 'file.deleted')).data['file_id'])))
  await create(0)
  await eventually(() => dataOf(reader, 'file.ready').length === 2)
})

import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createSession, type Member } from '../../client/session.js'
import { events, type SentEvent } from '../../client/events.js'
import { PASSWORD, call, randomContent, uploadFile } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'
import { newFileId, newJoinId } from '../../lib/new-ids.js'
import { failure, startStub, type Stub } from './fixtures/stub.js'
import { memberOf } from './fixtures/member.js'

const JOIN = newJoinId()
const FILE = newFileId()

const open = (response: ServerResponse, text: string): 'handled' => {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(text)
  return 'handled'
}

/** The events until `count` of them have come, or the stream ends. */
async function take (source: AsyncIterable<SentEvent>, count: number): Promise<SentEvent[]> {
  const taken: SentEvent[] = []
  for await (const event of source) if (taken.push(event) === count) break
  return taken
}

const of = (stub: Stub, options = {}) => events({ server: stub.origin }, memberOf(stub.origin), options)
const write = (type: string, data: object, id = '1') => `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`

t.test('all events, in whatever pieces they come', async (t) => {
  const text = [
    'retry: 1\nid: 0\n\n:\n\n',
    write('join.requested', { join_id: JOIN }, 'a-1'),
    write('join.confirmed', { join_id: JOIN }, 'a-2'),
    write('join.refused', { join_id: null, reason: 'code' }, 'a-3'),
    write('something.new', { x: 1 }, 'a-4'),
    write('file.started', { file_id: FILE, filename: null, size: null, uploaded_by: 'joiner' }, 'a-5'),
    write('file.progress', { file_id: FILE, offset: 5, size: 10 }, 'a-6'),
    write('file.received', { file_id: FILE, role: 'joiner', join_id: JOIN }, 'a-7'),
    write('participant.left', { role: 'creator' }, 'a-8'),
    write('session.closed', {}, 'a-9')
  ].join('')
  const expected = [
    { type: 'reset', id: undefined },
    { type: 'join.requested', joinId: JOIN, id: 'a-1' },
    { type: 'join.confirmed', joinId: JOIN, id: 'a-2' },
    { type: 'join.refused', joinId: null, reason: 'code', id: 'a-3' },
    { type: 'file.started', fileId: FILE, size: null, uploadedBy: 'joiner', id: 'a-5' },
    { type: 'file.progress', fileId: FILE, offset: 5, size: 10, id: 'a-6' },
    { type: 'file.received', fileId: FILE, role: 'joiner', joinId: JOIN, id: 'a-7' },
    { type: 'participant.left', role: 'creator', joinId: undefined, id: 'a-8' },
    { type: 'session.closed', id: 'a-9' }
  ]
  for (const size of [1, 7, text.length]) {
    const stub = await startStub(t, async (_, response) => {
      open(response, '')
      for (let i = 0; i < text.length; i += size) {
        response.write(text.slice(i, i + size))
        if (i % 100 === 0) await delay(1)
      }
      return 'handled' as const
    })
    t.same(await take(of(stub), Infinity), expected, `pieces of ${size}, and the last event ends it`)
  }
})

t.test('a stream that breaks is gone on with where it was', async (t) => {
  const stub = await startStub(t, ({ headers }, response) => {
    if (headers['last-event-id'] === undefined) {
      open(response, write('join.requested', { join_id: JOIN }, 'a-1'))
      setTimeout(() => response.destroy(), 50)
      return 'handled'
    }
    return open(response, write('session.closed', {}, 'a-2'))
  })
  t.same((await take(of(stub), Infinity)).map(({ type }) => type), ['reset', 'join.requested', 'session.closed'])
  t.same(stub.requests.map(({ headers }) => headers['last-event-id']), [undefined, 'a-1'])
  t.same((await take(of(stub, { lastEventId: 'a-1' }), Infinity)).map(({ type }) => type), ['session.closed'], 'nothing to read anew')
})

t.test('where nobody knows what was missed, the state is to be read anew', async (t) => {
  let times = 0
  const stub = await startStub(t, (_, response) => {
    times += 1
    if (times === 1) return failure(503, 'SERVER_STOPPING', { 'retry-after': '0' })
    if (times === 2) return { status: 502, body: 'a proxy' }
    if (times === 3) return { headers: { 'content-type': 'text/event-stream' } }
    return open(response, `${write('reset', {}, 'b-1')}${write('session.closed', {}, 'b-2')}`)
  })
  t.same((await take(of(stub), Infinity)).map(({ type }) => type), ['reset', 'reset', 'reset', 'session.closed'])
})

t.test('a connection on which nothing comes is taken for broken', async (t) => {
  let times = 0
  const stub = await startStub(t, (_, response) => open(response, times++ === 0 ? write('session.locked', {}, 'a-1') : write('session.closed', {}, 'a-2')))
  t.same((await take(of(stub, { silence: 100 }), Infinity)).map(({ type }) => type), ['reset', 'session.locked', 'session.closed'])
})

t.test('the time that the reader takes is no silence, and a sign of life ends one', async (t) => {
  const stub = await startStub(t, async (_, response) => {
    open(response, write('session.locked', {}, 'a-1'))
    for (let i = 0; i < 6; i++) {
      await delay(60)
      response.write(':\n\n')
    }
    response.write(write('session.closed', {}, 'a-2'))
    return 'handled' as const
  })
  const types: string[] = []
  for await (const { type } of of(stub, { silence: 200 })) {
    types.push(type)
    if (type === 'reset') await delay(300)
  }
  t.same(types, ['reset', 'session.locked', 'session.closed'])
  t.equal(stub.requests.length, 1)
})

t.test('a session that is gone, and what is no stream of events', async (t) => {
  for (const answer of [failure(401, 'UNAUTHORIZED'), failure(404, 'SESSION_NOT_FOUND'), failure(409, 'SESSION_CLOSED')]) {
    const stub = await startStub(t, () => answer)
    await t.rejects(take(of(stub), Infinity), { name: 'ClientError', code: 'SESSION_NOT_FOUND' })
  }
  const streams = [
    write('join.requested', { join_id: 'x' }),
    write('join.refused', { join_id: JOIN, reason: 'taste' }),
    write('file.progress', { file_id: FILE, offset: -1, size: 1 }),
    'event: session.locked\ndata: none\n\n',
    write('session.locked', {}, 'ü'),
    write('session.locked', {}, 'x'.repeat(201)),
    `event: session.locked\ndata: ${'x'.repeat(70_000)}`
  ]
  for (const text of streams) {
    const stub = await startStub(t, (_, response) => open(response, text))
    await t.rejects(take(of(stub), Infinity), { code: 'BAD_ANSWER' }, text.slice(0, 60))
    t.equal(stub.requests.length, 1)
  }
  const page = await startStub(t, () => ({ headers: { 'content-type': 'text/html' }, body: 'a page' }))
  await t.rejects(take(of(page), Infinity), { code: 'BAD_ANSWER' })
})

t.test('the signal ends it, at whatever it is', async (t) => {
  const reason = new Error('enough')
  const quiet = await startStub(t, (_, response) => open(response, ':\n\n'))
  const down = await startStub(t, () => failure(503, 'SERVER_STOPPING', { 'retry-after': '20' }))
  const hanging = await startStub(t, () => 'handled')
  for (const stub of [quiet, down, hanging]) {
    const controller = new AbortController()
    setTimeout(() => { controller.abort(reason) }, 100)
    await t.rejects(take(of(stub, { signal: controller.signal }), Infinity), reason)
  }
})

t.test('with the server', async (t) => {
  const { origin, app } = await startServer(t)
  const connection = { server: origin }
  const { member, verificationCode } = await createSession(connection, { kind: 'managed', password: PASSWORD })
  const url = `${origin}/api/session/${member.sessionId}`
  const controller = new AbortController()
  const stream = events(connection, member, { signal: controller.signal })
  t.match((await stream.next()).value, { type: 'reset' })
  await call(`${url}/join`, { method: 'POST', body: { verification_code: verificationCode, password: PASSWORD } })
  await uploadFile({ id: member.sessionId, code: verificationCode, token: member.token, url }, member.token, randomContent(10))
  const seen: SentEvent[] = []
  while (seen.at(-1)?.type !== 'file.ready') {
    const { value, done } = await stream.next()
    if (done === true) return t.fail('the stream has ended')
    seen.push(value)
  }
  t.same(seen.filter(({ type }) => type !== 'file.progress').map(({ type }) => type), ['join.requested', 'join.joined', 'file.started', 'file.ready'])
  t.match(await take(events(connection, member, { lastEventId: seen[0]?.id }), 1), [{ type: 'join.joined' }], 'goes on behind the event that was seen')

  await app.close()
  const next = stream.next()
  await delay(100)
  controller.abort()
  await t.rejects(next, { name: 'AbortError' }, 'a server that has stopped is waited for')
  return undefined
})

t.test('the stream ends with the session', async (t) => {
  const { origin } = await startServer(t)
  const { member } = await createSession({ server: origin }, { kind: 'managed', password: PASSWORD })
  const all = take(events({ server: origin }, member), Infinity)
  await delay(200)
  await call(`${origin}/api/session/${member.sessionId}/close`, { method: 'POST', token: member.token })
  t.same((await all).map(({ type }) => type), ['reset', 'session.closed'])
  await t.rejects(take(events({ server: origin }, member), 1), { code: 'SESSION_NOT_FOUND' })
  const stranger: Member = { ...member, token: `${member.token.slice(1)}A` }
  await t.rejects(take(events({ server: origin }, stranger), 1), { code: 'SESSION_NOT_FOUND' })
})

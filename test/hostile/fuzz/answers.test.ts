import fc from 'fast-check'
import t from 'tap'
import { Api } from '../../../client/api.js'
import { attemptOf, createdOf, Fields, fileOf, pendingOf, statusOf } from '../../../client/answers.js'
import { isClientError } from '../../../client/errors.js'
import { events, type SentEvent } from '../../../client/events.js'
import { printable, type Answer } from '../../../client/http.js'
import { openOffer } from '../../../client/offers.js'
import { toBase64url } from '../../../lib/crypto/bytes.js'
import { sealMetadata } from '../../../lib/crypto/metadata.js'
import { isFileId, isJoinId } from '../../../lib/ids.js'
import { newFileId, newJoinId } from '../../../lib/new-ids.js'
import { memberOf } from '../../client/fixtures/member.js'
import { bytes, json, mutatedBytes, mutatedText, pieces, sizes, text } from './inputs.js'
import { holds, must, read } from './holds.js'

/** Stands in everything that the server writes as text. */
const CANARY = 'the-server-wrote-this'
const member = memberOf('http://127.0.0.1')
const [fileId, joinId, token] = [newFileId(), newJoinId(), toBase64url(new Uint8Array(32).fill(9))]

const LIMITS = { max_file_size: 1, max_session_size: 1, max_files: 1, max_joiners: 1, max_downloads: null }
const TIME = '2026-01-01T00:00:00.000Z'
const FILE = { file_id: fileId, metadata: toBase64url(new Uint8Array(620)), size: 5, uploaded_by: 'joiner', uploaded_at: TIME, state: 'ready', offset: 5, received: 0, max_downloads: 1, expires_at: TIME, filename: 'a', content_type: '', sha256: '0'.repeat(64) }
/** Right answers, and what reads each. */
const RIGHT: ReadonlyArray<readonly [name: string, answer: Readonly<Record<string, unknown>>, reader: (fields: Fields) => object]> = [
  ['create', { status: 'created', role: 'creator', session_id: member.sessionId, verification_code: '123456', kind: 'managed', token, expires_at: TIME, limits: LIMITS, password_advice: 'a' }, createdOf],
  ['join', { status: 'pending', join_id: joinId, kind: 'managed', token, public_key: '0'.repeat(130) }, pendingOf],
  ['attempt', { join_id: joinId, status: 'confirmed', public_key: '0'.repeat(130), confirmation: '0'.repeat(64), wrapped_key: 'A'.repeat(80) }, attemptOf],
  ['status', { session_id: member.sessionId, status: 'created', kind: 'managed', role: 'joiner', participants: [{ role: 'creator', joined_at: TIME }], expires_at: TIME, limits: LIMITS }, statusOf],
  ['file', FILE, fileOf],
  ['files', { files: [FILE], next_cursor: null }, (fields) => fields.list('files', 1000, fileOf)],
  ['joins', { joins: [] }, (fields) => fields.list('joins', 1000, attemptOf)]
]

/** No failure says what the server wrote. */
const isBad = (error: unknown): boolean => isClientError(error) && !error.message.includes(CANARY)

const values = fc.oneof(json, text(), fc.constantFrom(CANARY, -1, 1.5, 2 ** 53, '\uD800', '', [], {}, `${TIME}\n`, '9999-99-99T00:00:00Z'))
const changed = (right: Readonly<Record<string, unknown>>): fc.Arbitrary<unknown> => fc.oneof(
  fc.dictionary(fc.oneof(fc.constantFrom(...Object.keys(right)), fc.constantFrom('__proto__', 'constructor')), values, { maxKeys: 2 }).map((changes) => ({ ...right, ...changes })),
  fc.subarray(Object.keys(right)).map((kept) => Object.fromEntries(kept.map((key) => [key, right[key]]))),
  json
)

t.test('an answer', async (t) => {
  for (const [name, right, reader] of RIGHT) {
    t.ok(reader(new Fields(right, name)))
    await holds(t, `${name}: is read, or refused by the name of a field`, fc.asyncProperty(changed(right), async (value) => {
      await read(() => reader(new Fields(value, name)), (error) => isClientError(error, 'BAD_ANSWER') && !error.message.includes(CANARY))
    }))
  }
  await holds(t, 'is shown without what a terminal would obey', fc.property(text(700), (given) => { must(!/[\p{C}]/u.test(printable(given)) && printable(given).length <= 500, 'a control character') }))
})

/** An answer that a hostile server can give. One that asks to wait is not waited for. */
const answers: fc.Arbitrary<() => Answer> = fc.record({
  status: fc.oneof(fc.constantFrom(200, 200, 201, 202, 204, 206), fc.constantFrom(301, 401, 404, 410, 413, 423, 429, 500, 502, 503, 599)),
  named: fc.dictionary(fc.constantFrom('content-type', 'content-length', 'content-range', 'etag', 'location', 'upload-offset', 'upload-length'), fc.oneof(text(), fc.constantFrom(`/x/${fileId}`, '5', 'bytes 5-9/10', 'text/event-stream', CANARY))),
  retryAfter: fc.constantFrom('0', '31', '999999999', 'Thu, 01 Jan 1970 00:00:00 GMT'),
  body: fc.oneof(
    fc.constantFrom(...RIGHT).chain(([, right]) => fc.oneof(changed(right), fc.record({ code: fc.constantFrom('INTERNAL', '__proto__', 'NO_FILE', CANARY), message: fc.constant(CANARY) }))).map((value) => new TextEncoder().encode(JSON.stringify(value))),
    fc.record({ files: fc.constant([]), next_cursor: values }).map((value) => new TextEncoder().encode(JSON.stringify(value))),
    bytes({ maxLength: 60 }),
    fc.constantFrom(new Uint8Array(2 ** 21).fill(0x20), new TextEncoder().encode('['.repeat(50_000)))
  ),
  broken: fc.boolean()
}).map(({ status, named, retryAfter, body, broken }) => () => ({
  status,
  headers: { get: (name: string) => ({ 'retry-after': retryAfter, ...named })[name] ?? null },
  body: streamOf([body], broken)
}))

/** What comes when there are no more. */
const NONE: Answer = { status: 599, headers: { get: () => null }, body: null }

const streamOf = (all: readonly Uint8Array[], broken = false): ReadableStream<Uint8Array> => new ReadableStream({
  start (controller) {
    for (const piece of all) controller.enqueue(piece)
    if (broken) controller.error(new Error(CANARY))
    else controller.close()
  }
})

t.test('every call takes every answer', async (t) => {
  const share = new Uint8Array(65)
  const calls: Readonly<Record<string, (api: Api) => Promise<unknown>>> = {
    create: (api) => api.create({ kind: 'managed' }),
    status: (api) => api.status(),
    unlock: (api) => api.unlock(),
    leave: (api) => api.leave(),
    close: (api) => api.close(),
    join: (api) => api.join('123456', share),
    confirm: (api) => api.confirm(joinId, share),
    attempts: (api) => api.attempts(),
    attempt: (api) => api.attempt(joinId, { after: 'pending' }),
    respond: (api) => api.respond(joinId, share),
    accept: (api) => api.accept(joinId, share, share),
    reject: (api) => api.reject(joinId),
    // The cursor comes from the server, and goes back to it.
    files: async (api) => {
      const { nextCursor } = await api.files()
      if (nextCursor !== null) await api.files({ cursor: nextCursor })
    },
    uploadState: (api) => api.uploadState(fileId),
    sendPiece: (api) => api.sendPiece(fileId, 0, share),
    abandonUpload: (api) => api.abandonUpload(fileId),
    download: async (api) => { for await (const piece of (await api.download(fileId, { from: 5, to: 10 })).content) must(piece.length <= 2 ** 21, 'more than was sent') },
    downloadMany: async (api) => { for await (const piece of (await api.downloadMany([fileId])).content) must(piece.length <= 2 ** 21, 'more than was sent') },
    received: (api) => api.received([fileId]),
    deleteFile: (api) => api.deleteFile(fileId)
  }
  await holds(t, 'any cursor of a list', fc.asyncProperty(text(200), async (cursor) => {
    const body = (): ReadableStream<Uint8Array> => streamOf([new TextEncoder().encode(JSON.stringify({ files: [], next_cursor: cursor }))])
    const api = new Api({ server: 'http://127.0.0.1', fetch: () => Promise.resolve({ status: 200, headers: { get: () => null }, body: body() }) }, member.sessionId, token)
    await read(async () => { await api.files({ cursor: (await api.files()).nextCursor ?? undefined }) }, isBad)
  }))
  for (const [name, call] of Object.entries(calls)) {
    await holds(t, name, fc.asyncProperty(fc.infiniteStream(answers), async (stream) => {
      const left: IterableIterator<() => Answer, undefined> = stream
      const api = new Api({ server: 'http://127.0.0.1', fetch: () => Promise.resolve(left.next().value?.() ?? NONE) }, member.sessionId, token)
      await read(() => call(api), isBad)
    }), 2)
  }
})

t.test('an answer without an end is not read to it', async (t) => {
  for (const [most, call] of [[2 ** 20, (api: Api): Promise<unknown> => api.status()], [2 ** 24, (api: Api): Promise<unknown> => api.files()]] as const) {
    let sent = 0
    const body = new ReadableStream<Uint8Array>({
      pull (controller) {
        sent += 2 ** 16
        controller.enqueue(new Uint8Array(2 ** 16).fill(0x20))
      }
    })
    const api = new Api({ server: 'http://127.0.0.1', fetch: () => Promise.resolve({ status: 200, headers: { get: () => null }, body }) }, member.sessionId, token)
    await t.rejects(call(api), { code: 'BAD_ANSWER' })
    t.ok(sent <= most + 2 ** 18, `${sent} bytes`)
  }
})

async function eventsOf (all: readonly Uint8Array[]): Promise<readonly SentEvent[]> {
  const found: SentEvent[] = []
  const over = new AbortController()
  const fetch = (): Promise<Answer> => Promise.resolve({
    status: 200,
    headers: { get: (name) => name === 'content-type' ? 'text/event-stream' : null },
    body: new ReadableStream<Uint8Array>({
      start (controller) { for (const piece of all) controller.enqueue(piece) },
      // After its last piece it would wait for ever, or be asked for again: the test has seen enough.
      pull (controller) {
        over.abort()
        controller.error(over.signal.reason)
      }
    }, { highWaterMark: 0 })
  })
  try {
    for await (const event of events({ server: 'http://127.0.0.1', fetch }, member, { signal: over.signal, lastEventId: 'x' })) found.push(event)
  } catch (error) {
    if (!over.signal.aborted || error !== over.signal.reason) throw error
  }
  return found
}

t.test('a stream of events', async (t) => {
  const written = fc.tuple(
    fc.constantFrom('join.requested', 'join.refused', 'file.ready', 'file.progress', 'file.received', 'participant.left', 'session.locked', 'reset', 'toString', '__proto__'),
    fc.oneof(fc.constant({ join_id: joinId, file_id: fileId, size: null, offset: 5, uploaded_by: 'joiner', role: 'joiner', reason: 'code' }), changed({ join_id: joinId, file_id: fileId, size: 5, offset: 5, uploaded_by: 'joiner', role: 'joiner', reason: 'code' })),
    fc.oneof(fc.constantFrom('a-1', 'a-2'), text(9))
  ).map(([type, data, id]) => `id: ${id}\nevent: ${type}\ndata: ${JSON.stringify(data)}\n\n`)
  const streams = fc.oneof(fc.array(written, { maxLength: 3 }).map((all) => all.join('')), mutatedText(written), text(100))
  await holds(t, 'gives events of their form, or a refusal', fc.asyncProperty(fc.oneof(streams.map((whole) => new TextEncoder().encode(whole)), mutatedBytes(written.map((one) => new TextEncoder().encode(one)))), sizes, async (whole, cuts) => {
    const found = await read(() => eventsOf(pieces(whole, cuts)), (error) => isClientError(error, 'BAD_ANSWER') && !error.message.includes(CANARY))
    for (const event of found ?? []) {
      must(event.id === undefined || /^[\x21-\x7e]{1,200}$/.test(event.id), 'an id that no header takes')
      must(!('fileId' in event) || isFileId(event.fileId), 'no file id')
      must(!('joinId' in event) || event.joinId == null || isJoinId(event.joinId), 'no join id')
    }
  }))
  for (const endless of ['data: x\n', 'x', 'data: x\nid: 1\n']) {
    const piece = new TextEncoder().encode(endless.repeat(2000))
    await t.rejects(eventsOf(Array.from({ length: 200 }, () => piece)), { code: 'BAD_ANSWER' }, `an event without an end: ${JSON.stringify(endless)}`)
  }
})

t.test('what is offered', async (t) => {
  const { contentKey } = member
  if (contentKey === undefined) throw new Error('no key')
  const sealed = await sealMetadata({ name: '../a', size: 5, type: '', modified: TIME }, { contentKey, fileId, writer: 'A' })
  const listed = fileOf(new Fields({ ...FILE, size: 92 + 16 + 5, metadata: toBase64url(sealed) }, 'file'))
  t.match(await openOffer(member, listed), { name: '../a' })
  await holds(t, 'was sealed by its sender, or is reported', fc.asyncProperty(fc.oneof(fc.constant(sealed), mutatedBytes(fc.constant(sealed)), bytes({ maxLength: 700 })), fc.option(fc.nat(300)), fc.constantFrom('creator' as const, 'joiner' as const), async (metadata, size, uploadedBy) => {
    const offer = await openOffer(member, { ...listed, metadata, size, uploadedBy })
    if (offer === undefined) must(uploadedBy === 'creator', 'it was passed over')
    else if ('error' in offer) must(isClientError(offer.error, 'FILE_DAMAGED') && offer.fileId === fileId, 'another report')
    else must(offer.name === '../a' && (size === null || size === 92 + 16 + 5) && toBase64url(metadata) === toBase64url(sealed), 'another file')
  }))
})

import { readdir } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { concat, toBase64url } from '../../lib/crypto/bytes.js'
import { newFileId } from '../../lib/new-ids.js'
import { call, createSession, download, joinSession, randomContent, uploadFile, type TestSession } from '../helpers/client.js'
import { createEndToEnd, letIn, sealedUploadHeaders, sealFile, uploadSealed, type SealedTestFile } from '../helpers/end-to-end.js'
import { arrival, listen } from '../helpers/events.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { offsetOf, openPiece } from '../helpers/tus.js'

const S = 2 ** 18

const filesOf = async ({ url }: TestSession, token: string): Promise<Array<Record<string, unknown>>> =>
  (await call(`${url}/files`, { token })).body['files'] as Array<Record<string, unknown>>

async function nothingLeft (t: Test, { app, folder }: TestServer, session: TestSession): Promise<void> {
  t.same(await filesOf(session, session.token), [])
  t.same((await app.blobs.inventory(Number.POSITIVE_INFINITY)).size, 0, (await readdir(folder)).join())
}

const begin = (session: TestSession, token: string, sealed: SealedTestFile, headers: Record<string, string> = {}) =>
  call(`${session.url}/uploads`, { method: 'POST', token, headers: { ...sealedUploadHeaders(sealed), ...headers } })

async function send (session: TestSession, token: string, sealed: SealedTestFile, from: number, to = sealed.container.length): Promise<string> {
  const piece = openPiece(`${session.url}/uploads/${sealed.fileId}`, token, from, { 'content-length': String(to - from) })
  piece.request.end(sealed.container.subarray(from, to))
  const { status, body } = await piece.answer
  return `${status} ${body.slice(0, 200)}`
}

for (const size of [0, 1, S - 1, S, S + 1, 3 * S]) {
  t.test(`a sealed file comes back as it was, size=${size}`, async (t) => {
    const { origin } = await startServer(t)
    const session = await createEndToEnd(origin)
    const joiner = await letIn(session)
    const sealed = await sealFile(randomContent(size))
    const { status, body } = await uploadSealed(session, session.token, sealed)
    t.equal(status, 201)
    const expected = { file_id: sealed.fileId, metadata: sealed.metadata, size: sealed.container.length, offset: sealed.container.length, state: 'ready', uploaded_by: 'creator' }
    t.match(body['files'], [expected])
    const [listed] = await filesOf(session, joiner)
    t.match(listed, expected)
    for (const name of ['filename', 'sha256', 'content_type']) t.notOk(name in (listed ?? {}), name)

    const url = `${session.url}/download/${sealed.fileId}`
    const whole = await download(url, joiner)
    t.same(Buffer.from(whole.bytes), Buffer.from(sealed.container))
    t.equal(whole.headers.get('repr-digest'), null)
    t.match(whole.headers.get('content-disposition'), `${sealed.fileId}.lsf`)
    const middle = await download(url, joiner, { range: 'bytes=10-91' })
    t.same(Buffer.from(middle.bytes), Buffer.from(sealed.container.subarray(10, 92)))
  })
}

t.test('a resumable upload of a container, in pieces that are no chunks', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const joiner = await letIn(session)
  const sealed = await sealFile(randomContent(2 * S + 5), { writer: 'A' })
  t.equal((await begin(session, joiner, sealed)).headers.get('location'), `/api/session/${session.id}/uploads/${sealed.fileId}`)
  for (const [from, to] of [[0, 50], [50, 91], [91, 93], [93, S + 7], [S + 7, sealed.container.length]] as const) {
    t.match(await send(session, joiner, sealed, from, to), '204')
  }
  t.match(await filesOf(session, session.token), [{ state: 'ready', size: sealed.container.length, uploaded_by: 'joiner' }])
  t.same(Buffer.from((await download(`${session.url}/download/${sealed.fileId}`, session.token)).bytes), Buffer.from(sealed.container))
})

t.test('whoever receives reads along', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const joiner = await letIn(session)
  const sealed = await sealFile(randomContent(4 * S))
  await begin(session, session.token, sealed)
  t.match(await filesOf(session, joiner), [{ state: 'uploading', size: sealed.container.length, offset: 0, metadata: sealed.metadata }])
  const reading = download(`${session.url}/download/${sealed.fileId}`, joiner)
  t.match(await send(session, session.token, sealed, 0, 2 * S), '204')
  t.equal(await offsetOf(`${session.url}/uploads/${sealed.fileId}`, session.token), 2 * S)
  t.match(await send(session, session.token, sealed, 2 * S), '204')
  t.same(Buffer.from((await reading).bytes), Buffer.from(sealed.container))
})

t.test('what is not a container of this file and sender is refused, and nothing stays', async (t) => {
  const server = await startServer(t)
  const session = await createEndToEnd(server.origin)
  const right = await sealFile(randomContent(S + 1))
  const other = await sealFile(randomContent(S + 1))
  const cases: Record<string, SealedTestFile> = {
    'another file\'s container': { ...right, container: other.container },
    'another file\'s metadata': { ...right, metadata: other.metadata },
    'the joiner\'s letter': await sealFile(randomContent(1), { writer: 'A' }),
    'the server\'s letter': await sealFile(randomContent(1), { writer: 'S' }),
    'a size that no container has': { ...right, container: right.container.subarray(0, 92 + 15) },
    'half a header': { ...right, container: right.container.subarray(0, 40) },
    nothing: { ...right, container: new Uint8Array() },
    'another magic': { ...right, container: concat(new TextEncoder().encode('XXXX'), right.container.subarray(4)) },
    'metadata of another length': { ...right, metadata: toBase64url(new Uint8Array(700)) }
  }
  for (const [name, sealed] of Object.entries(cases)) {
    t.equal((await uploadSealed(session, session.token, sealed)).summary, '422 CONTAINER_REFUSED', name)
    await nothingLeft(t, server, session)
    const begun = await begin(session, session.token, sealed)
    if (begun.status === 201) t.match(await send(session, session.token, sealed, 0), '422', name)
    else t.equal(begun.summary, '422 CONTAINER_REFUSED', name)
    await nothingLeft(t, server, session)
  }
})

t.test('ids are drawn by the sender, once', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin, { max_joiners: 2 })
  const joiner = await letIn(session)
  const sealed = await sealFile(randomContent(10))
  t.equal((await uploadSealed(session, session.token, sealed, sealed)).summary, '409 FILE_EXISTS', 'twice in one request')
  t.same(await filesOf(session, session.token), [])
  t.equal((await uploadSealed(session, session.token, sealed)).status, 201)
  t.equal((await uploadSealed(session, session.token, sealed)).summary, '409 FILE_EXISTS')
  t.equal((await begin(session, session.token, sealed)).summary, '409 FILE_EXISTS')
  const again = await sealFile(randomContent(1), { writer: 'A', fileId: sealed.fileId })
  t.equal((await uploadSealed(session, joiner, again)).summary, '409 FILE_EXISTS', 'nobody takes another\'s id')
  const raced = await sealFile(randomContent(1))
  const answers = await Promise.all([uploadSealed(session, session.token, raced), uploadSealed(session, session.token, raced), begin(session, session.token, raced)])
  t.same(answers.map(({ summary }) => summary).sort(), ['201', '409 FILE_EXISTS', '409 FILE_EXISTS'])
})

t.test('fields that are missing, or of the other kind of session', async (t) => {
  const { origin } = await startServer(t)
  const endToEnd = await createEndToEnd(origin)
  const managed = await createSession(origin)
  const { fileId, metadata, container } = await sealFile(randomContent(1))
  const send = ({ url, token }: TestSession, fields: Record<string, string>) => {
    const data = new FormData()
    for (const [name, value] of Object.entries(fields)) data.append(name, value)
    data.append('file', new Blob([container]), 'x')
    return call(`${url}/upload`, { method: 'POST', token, body: data })
  }
  t.equal((await send(endToEnd, {})).summary, '400 INVALID_REQUEST')
  t.equal((await send(endToEnd, { file_id: fileId })).summary, '400 INVALID_REQUEST')
  t.equal((await send(endToEnd, { metadata })).summary, '400 INVALID_REQUEST')
  t.equal((await send(endToEnd, { file_id: fileId.toUpperCase(), metadata })).summary, '400 INVALID_REQUEST')
  t.equal((await send(endToEnd, { file_id: '../../etc/passwd', metadata })).summary, '400 INVALID_REQUEST')
  t.equal((await send(endToEnd, { sha256: '0'.repeat(64) })).summary, '400 MULTIPART_UNEXPECTED')
  t.equal((await send(managed, { file_id: fileId, metadata })).summary, '400 MULTIPART_UNEXPECTED')
  t.equal((await send(managed, { file_id: '', metadata: '', sha256: '' })).status, 201, 'a form has fields that nobody fills in')
  const headers = { 'tus-resumable': '1.0.0', 'upload-length': '10', 'upload-metadata': `filename ${btoa('a.txt')}` }
  t.equal((await call(`${endToEnd.url}/uploads`, { method: 'POST', token: endToEnd.token, headers })).summary, '400 INVALID_REQUEST')
  t.equal((await call(`${endToEnd.url}/files/a.txt`, { method: 'PUT', token: endToEnd.token, body: 'plain' })).summary, '409 WRONG_KIND')
  t.equal((await call(`${endToEnd.url}/archive`, { token: endToEnd.token })).summary, '409 WRONG_KIND')
})

t.test('many small files cost few requests', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const joiner = await letIn(session)
  const events = await listen(session.url, session.token)
  const sealed = await Promise.all(Array.from({ length: 300 }, (_, i) => sealFile(randomContent(i))))
  t.equal((await uploadSealed(session, session.token, ...sealed)).status, 201)
  const ids = sealed.map(({ fileId }) => fileId).reverse()
  const answer = await fetch(`${session.url}/download`, { method: 'POST', headers: { authorization: `Bearer ${joiner}`, 'content-type': 'application/json' }, body: JSON.stringify({ file_ids: ids }) })
  t.same(Buffer.from(await answer.arrayBuffer()), Buffer.concat(sealed.map(({ container }) => container).reverse()))
  const received = (body: object, token: string) => call(`${session.url}/received`, { method: 'POST', token, body })
  t.equal((await received({ file_ids: ids }, session.token)).summary, '403 OWN_FILE')
  t.equal((await received({ file_ids: [...ids, newFileId()] }, joiner)).summary, '404 FILE_NOT_FOUND')
  t.equal((await received({ file_ids: ids.slice(0, 299) }, joiner)).summary, '204')
  t.equal((await received({ file_ids: ids }, joiner)).summary, '204')
  await arrival(events, 'file.received')
  t.equal((await filesOf(session, joiner)).filter(({ received }) => received === 1).length, 100, 'of the first page, all')
  t.equal((await received({ file_ids: [] }, joiner)).summary, '400 INVALID_REQUEST')
  t.equal((await received({ file_ids: [ids[0], ids[0]] }, joiner)).summary, '400 INVALID_REQUEST')
})

t.test('whoever has got a file past the server says so while it is being uploaded', async (t) => {
  const { origin } = await startServer(t)
  const session = await createEndToEnd(origin)
  const joiner = await letIn(session)
  const events = await listen(session.url, session.token)
  const sealed = await sealFile(randomContent(3 * S))
  t.equal((await begin(session, session.token, sealed)).status, 201)
  const received = (token: string) => call(`${session.url}/received`, { method: 'POST', token, body: { file_ids: [sealed.fileId] } })
  t.equal((await received(session.token)).summary, '403 OWN_FILE')
  t.equal((await received(joiner)).summary, '204')
  t.match((await arrival(events, 'file.received')).data, { file_id: sealed.fileId, role: 'joiner' })
  t.match(await filesOf(session, joiner), [{ state: 'uploading', received: 1, offset: 0 }])
  t.match(await send(session, session.token, sealed, 0), /^204/)
  t.match(await filesOf(session, joiner), [{ state: 'ready', received: 1 }], 'whatever becomes of the upload')
})

t.test('one download of many counts as one of each, or of none', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin, { max_downloads: 1 })
  const joiner = await joinSession(session)
  const [a, b] = [await uploadFile(session, session.token, randomContent(10)), await uploadFile(session, session.token, randomContent(20))]
  const fetchMany = (...ids: string[]) => call(`${session.url}/download`, { method: 'POST', token: joiner, body: { file_ids: ids } })
  t.equal((await fetchMany(a.file_id, newFileId())).summary, '404 FILE_NOT_FOUND')
  t.equal((await fetchMany(a.file_id)).status, 200)
  t.equal((await fetchMany(b.file_id, a.file_id)).summary, '410 DOWNLOADS_USED_UP')
  t.equal((await fetchMany(b.file_id)).status, 200, 'the one that was refused took nothing')
})

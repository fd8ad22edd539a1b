import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { call, createSession, download, form, joinSession, randomContent, sha256, uploadFile } from '../helpers/client.js'
import { createEndToEnd, letIn, sealedUploadHeaders, sealFile, uploadSealed } from '../helpers/end-to-end.js'
import { eventually } from '../helpers/events.js'
import { startFaults } from '../helpers/faults.js'
import { emptied, environmentFor, PART, startS3 } from '../helpers/s3.js'
import { startServer } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { arrived, beginUpload, checksumOf, offsetOf, openPiece, sendPiece } from '../helpers/tus.js'

const MIB = 2 ** 20

t.test('files in object storage', async (t) => {
  if (!await needs(t, 'swift')) return
  const s3 = await startS3(t)
  const { origin, folder } = await startServer(t, { ...s3.environment, UPLOAD_FOLDER: '/does-not-exist' })
  t.equal(folder, '/does-not-exist', 'nobody needs a folder')

  t.test('go in and out as on a disk', async (t) => {
    const session = await createSession(origin)
    const joiner = await joinSession(session)
    const contents = [new Uint8Array(), randomContent(1000), randomContent(2 * PART + 12_345), randomContent(4 * PART + MIB)]
    const { status, body } = await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form(...contents.map((content, i) => ({ content, name: `${i}.bin` }))) })
    t.equal(status, 201)
    const files = body['files'] as Array<{ file_id: string, sha256: string }>
    t.equal((await s3.objects()).length, 5, 'the largest one in two')
    for (const [i, content] of contents.entries()) {
      const { file_id: id = '', sha256: digest } = files[i] ?? {}
      t.equal(digest, sha256(content))
      const { bytes } = await download(`${session.url}/download/${id}`, joiner)
      t.ok(Buffer.from(bytes).equals(content), `${content.length} bytes`)
      for (const start of [0, 999, MIB + 1, 4 * PART - 5].filter((start) => start < content.length)) {
        const range = await download(`${session.url}/download/${id}`, joiner, { range: `bytes=${start}-${start + 9}` })
        t.ok(Buffer.from(range.bytes).equals(content.subarray(start, start + 10)), `from ${start}`)
      }
    }
    const archive = await download(`${session.url}/archive`, joiner)
    t.equal(archive.status, 200)
    t.equal(archive.bytes.length, Number(archive.headers.get('content-length')))
    t.equal((await call(`${session.url}/close`, { method: 'POST', token: session.token })).status, 200)
    await emptied(t, s3)
  })

  t.test('of an end-to-end session too', async (t) => {
    const session = await createEndToEnd(origin)
    const joiner = await letIn(session)
    const [whole, resumed] = [await sealFile(randomContent(MIB)), await sealFile(randomContent(PART))]
    t.equal((await uploadSealed(session, session.token, whole)).status, 201)
    t.equal((await uploadSealed(session, session.token, whole)).summary, '409 FILE_EXISTS')
    const { url } = await beginUpload(session, session.token, sealedUploadHeaders(resumed))
    t.equal((await sendPiece(url, session.token, 0, resumed.container.slice(0, 1000))).status, 204)
    t.equal((await sendPiece(url, session.token, 1000, resumed.container.slice(1000), checksumOf(resumed.container.subarray(1000)))).status, 204)
    for (const { fileId, container } of [whole, resumed]) {
      t.ok(Buffer.from((await download(`${session.url}/download/${fileId}`, joiner)).bytes).equals(container))
    }
    await call(`${session.url}/close`, { method: 'POST', token: session.token })
    await emptied(t, s3)
  })

  t.test('a piece without end is kept, and received, part by part', async (t) => {
    const session = await createSession(origin)
    const joiner = await joinSession(session)
    const content = randomContent(6 * PART)
    const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(content.length) })
    const piece = openPiece(url, session.token, 0, { 'content-length': String(content.length) })
    piece.request.write(content.subarray(0, 5 * PART))
    await arrived(session, id, 4 * PART)
    const outgoing = request(`${session.url}/download/${id}`, { agent: false, headers: { authorization: `Bearer ${joiner}` } }).end()
    const [response] = await once(outgoing, 'response') as [IncomingMessage]
    const received: Buffer[] = []
    const complete = (async () => { for await (const bytes of response) received.push(bytes as Buffer) })()
    await eventually(() => Promise.resolve(Buffer.concat(received).length >= 4 * PART))
    piece.request.end(content.subarray(5 * PART))
    t.equal((await piece.answer).status, 204)
    await complete
    t.ok(Buffer.concat(received).equals(content), 'read along to the end')
    t.equal((await s3.objects()).length, 2)
    t.equal(sha256((await download(`${session.url}/download/${id}`, joiner)).bytes), sha256(content))
    await call(`${session.url}/close`, { method: 'POST', token: session.token })
    await emptied(t, s3)
  })

  t.test('a slow piece is kept, and received, after ten seconds at the latest', async (t) => {
    const session = await createSession(origin)
    const { url, id } = await beginUpload(session, session.token, { 'upload-length': String(PART) })
    const content = randomContent(PART)
    const piece = openPiece(url, session.token, 0, { 'content-length': String(PART) })
    let sent = 0
    while ((await s3.objects()).length === 0) {
      piece.request.write(content.subarray(sent, sent + 2 ** 15))
      sent += 2 ** 15
      await delay(300)
    }
    t.ok(sent < PART)
    await arrived(session, id, 1)
    piece.request.destroy()
    const offset = await offsetOf(url, session.token)
    t.ok(offset > 0 && offset <= sent, `it stands at ${offset}`)
    t.equal((await sendPiece(url, session.token, offset, content.slice(offset))).status, 204)
    t.ok(Buffer.from((await download(`${session.url}/download/${id}`, session.token)).bytes).equals(content))
    await call(`${session.url}/close`, { method: 'POST', token: session.token })
    await emptied(t, s3)
  })

  t.test('what breaks off leaves what it should', async (t) => {
    const session = await createSession(origin)
    const upload = await beginUpload(session, session.token, { 'upload-length': String(6 * PART) })
    const piece = openPiece(upload.url, session.token, 0, { 'content-length': String(6 * PART) })
    piece.request.write(randomContent(PART + 1000))
    await eventually(async () => (await s3.uploads()).length === 1)
    piece.request.destroy()
    t.equal(await offsetOf(upload.url, session.token), PART + 1000, 'of an upload that can be resumed all that came')
    const guarded = openPiece(upload.url, session.token, PART + 1000, { 'content-length': String(2 * PART), 'upload-checksum': `sha256 ${Buffer.alloc(32).toString('base64')}` })
    guarded.request.write(randomContent(PART + 1000))
    await eventually(async () => (await s3.uploads()).length === 1)
    guarded.request.destroy()
    t.equal(await offsetOf(upload.url, session.token), PART + 1000, 'of a piece with a checksum nothing')
    const put = request(`${session.url}/upload`, { method: 'POST', agent: false, headers: { authorization: `Bearer ${session.token}`, 'content-type': 'multipart/form-data; boundary=x', 'content-length': 5 * PART } })
    put.on('error', () => {})
    put.write('--x\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n')
    put.write(randomContent(PART + 1000))
    await eventually(async () => (await s3.uploads()).length === 1)
    put.destroy()
    await eventually(async () => (await s3.uploads()).length === 0)
    t.equal((await s3.objects()).length, 1, 'of a whole upload nothing')
    await call(`${session.url}/close`, { method: 'POST', token: session.token })
    await emptied(t, s3)
  })

  t.test('storage that is away is said to be, and missed no longer than it is', async (t) => {
    const session = await createSession(origin)
    const file = await uploadFile(session, session.token, randomContent(1000))
    const { url } = await beginUpload(session, session.token, { 'upload-length': '2000' })
    await sendPiece(url, session.token, 0, randomContent(1000))
    await s3.stop()
    const refused = await sendPiece(url, session.token, 1000, randomContent(1000))
    t.equal(refused.summary, '503 STORAGE_UNAVAILABLE')
    t.ok(Number(refused.headers.get('retry-after')) > 0)
    t.equal((await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form({ content: randomContent(10) }) })).summary, '503 STORAGE_UNAVAILABLE')
    t.equal((await call(`${session.url}/download/${file.file_id}`, { token: session.token })).summary, '503 STORAGE_UNAVAILABLE')
    await eventually(async () => (await call(`${origin}/health/ready`)).summary === '503 STORAGE_UNAVAILABLE')
    t.equal((await call(`${origin}/health/live`)).status, 200)
    await s3.restart()
    await eventually(async () => (await call(`${origin}/health/ready`)).status === 200)
    t.equal(await offsetOf(url, session.token), 1000, 'what was told is there')
    t.equal((await sendPiece(url, session.token, 1000, randomContent(1000))).status, 204)
    t.equal((await download(`${session.url}/download/${file.file_id}`, session.token)).bytes.length, 1000)
    await call(`${session.url}/close`, { method: 'POST', token: session.token })
    await emptied(t, s3)
  })

  t.test('what cannot be removed is gone for everybody all the same, and is removed later', async (t) => {
    const faults = await startFaults(t, s3.endpoint)
    const { app, origin } = await startServer(t, { ...environmentFor(faults.origin), UPLOAD_FOLDER: '/does-not-exist' })
    const session = await createSession(origin)
    const [first] = [await uploadFile(session, session.token, randomContent(1000)), await uploadFile(session, session.token, randomContent(1000))]
    let isFailing = true
    faults.inject('error', ({ method }) => isFailing && method === 'DELETE', Infinity)
    const url = `${session.url}/files/${first.file_id}`
    t.equal((await call(url, { method: 'DELETE', token: session.token })).status, 204)
    t.equal((await call(url, { method: 'DELETE', token: session.token })).summary, '404 FILE_NOT_FOUND')
    t.equal((await call(`${session.url}/close`, { method: 'POST', token: session.token })).status, 200)
    t.equal((await call(`${session.url}/status`, { token: session.token })).status, 401)
    t.equal((await s3.objects()).length, 2)
    isFailing = false
    t.equal(await app.files.reclaim(Number.POSITIVE_INFINITY), 2)
    await emptied(t, s3)
  })
})

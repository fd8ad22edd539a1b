import t from 'tap'
import { call, createSession, download, form, joinSession, randomContent, sha256, uploadFile } from '../helpers/client.js'
import { startServer } from '../helpers/server.js'

const CHUNK = 2 ** 18

t.test('a file of several chunks is created, joined, uploaded, listed, downloaded and the same', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const joiner = await joinSession(session)
  const content = randomContent(5 * CHUNK + 12345)

  const file = await uploadFile(session, session.token, content, 'report.bin')
  t.equal(file.size, content.length)
  t.equal(file.sha256, sha256(content))

  const { body } = await call(`${session.url}/files`, { token: joiner })
  t.same((body['files'] as object[]).map((listed) => ({ ...listed, uploaded_at: '' })), [{
    file_id: file.file_id,
    filename: 'report.bin',
    content_type: 'application/octet-stream',
    size: content.length,
    sha256: sha256(content),
    uploaded_by: 'creator',
    uploaded_at: '',
    state: 'ready',
    offset: content.length
  }])

  const got = await download(`${session.url}/download/${file.file_id}`, joiner)
  t.equal(got.status, 200)
  t.equal(got.headers.get('content-length'), String(content.length))
  t.equal(sha256(got.bytes), sha256(content))
})

t.test('sizes around chunk boundaries, both ways', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  for (const size of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 1, 2 * CHUNK, 2 * CHUNK + 1]) {
    const content = randomContent(size)
    const file = await uploadFile(session, session.token, content)
    const got = await download(`${session.url}/download/${file.file_id}`, session.token)
    t.equal(sha256(got.bytes), sha256(content), `size=${size}`)
  }
})

t.test('several files in one request, each with its digest before it', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const contents = [randomContent(3 * CHUNK + 1), randomContent(0), randomContent(CHUNK)]
  const { status, body } = await call(`${session.url}/upload`, {
    method: 'POST',
    token: session.token,
    body: form(...contents.map((content, i) => ({ content, name: `${i}.bin`, sha256: sha256(content).toUpperCase() })))
  })
  t.equal(status, 201)
  t.same((body['files'] as Array<{ filename: string, sha256: string }>).map(({ filename, sha256 }) => [filename, sha256]),
    contents.map((content, i) => [`${i}.bin`, sha256(content)]))
})

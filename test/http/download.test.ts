import { once } from 'node:events'
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { Agent, get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { call, createSession, download, form, joinSession, randomContent, sha256, uploadFile, type TestSession, type UploadedFile } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, type TestServer } from '../helpers/server.js'

const CHUNK = 2 ** 18
const SEALED_CHUNK = CHUNK + 16
const HEADER = 92

async function setUp (t: Tap, size: number, environment: Record<string, string> = {}, options: object = {}): Promise<{ server: TestServer, session: TestSession, content: Uint8Array, file: UploadedFile, url: string }> {
  const server = await startServer(t, environment)
  const session = await createSession(server.origin, options)
  const content = randomContent(size)
  const file = await uploadFile(session, session.token, content)
  return { server, session, content, file, url: `${session.url}/download/${file.file_id}` }
}
type Tap = Parameters<typeof startServer>[0]

t.test('the headers of a download, by GET and by HEAD', async (t) => {
  const { session, content, file, url } = await setUp(t, 2 * CHUNK + 1)
  const digest = Buffer.from(sha256(content), 'hex').toString('base64')
  const expected = {
    'content-length': String(content.length),
    'content-type': 'application/octet-stream',
    'content-disposition': 'attachment; filename=file.bin',
    'accept-ranges': 'bytes',
    etag: `"${file.file_id}"`,
    'repr-digest': `sha-256=:${digest}:`,
    'x-content-type-options': 'nosniff',
    'content-security-policy': 'sandbox',
    'cache-control': 'private, no-store'
  }
  const got = await download(url, session.token)
  const head = await call(url, { method: 'HEAD', token: session.token })
  for (const [name, value] of Object.entries(expected)) {
    t.equal(got.headers.get(name), value, `GET ${name}`)
    t.equal(head.headers.get(name), value, `HEAD ${name}`)
  }
  t.equal(head.status, 200)
})

t.test('a name that needs RFC 6266', async (t) => {
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const file = await uploadFile(session, session.token, randomContent(1), 'Übung 5 – 日本.pdf')
  const { headers } = await download(`${session.url}/download/${file.file_id}`, session.token)
  t.equal(headers.get('content-disposition'), "attachment; filename=\"?bung 5 ? ??.pdf\"; filename*=UTF-8''%C3%9Cbung%205%20%E2%80%93%20%E6%97%A5%E6%9C%AC.pdf")
})

t.test('ranges, exact at every chunk boundary', async (t) => {
  const size = 3 * CHUNK + 100
  const { session, content, file, url } = await setUp(t, size)
  const edges = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK - 1, 3 * CHUNK, size - 1]
  for (const first of edges) {
    for (const last of edges.filter((edge) => edge >= first)) {
      const { status, headers, bytes } = await download(url, session.token, { range: `bytes=${first}-${last}` })
      t.equal(status, 206)
      t.equal(headers.get('content-range'), `bytes ${first}-${last}/${size}`)
      t.ok(Buffer.from(content.subarray(first, last + 1)).equals(bytes), `bytes=${first}-${last}`)
    }
  }
  const etag = `"${file.file_id}"`
  const cases: Array<[Record<string, string>, number, number]> = [
    [{ range: 'bytes=-5' }, 206, 5],
    [{ range: `bytes=${size - 3}-` }, 206, 3],
    [{ range: `bytes=0-${size * 2}` }, 206, size],
    [{ range: 'bytes=0-9', 'if-range': etag }, 206, 10],
    [{ range: 'bytes=0-9', 'if-range': '"other"' }, 200, size],
    [{ range: 'bytes=0-9', 'if-range': `W/${etag}` }, 200, size],
    [{ range: 'bytes=9-0' }, 416, 0],
    [{ range: `bytes=${size}-` }, 416, 0],
    [{ range: 'bytes=0-1,4-5' }, 416, 0],
    [{ range: 'lines=0-1' }, 200, size],
    [{ range: 'bytes=a-b' }, 200, size]
  ]
  for (const [headers, status, length] of cases) {
    const got = await download(url, session.token, headers)
    t.equal(got.status, status, JSON.stringify(headers))
    if (status === 416) {
      t.equal(got.headers.get('content-range'), `bytes */${size}`)
      t.match(Buffer.from(got.bytes).toString(), '"RANGE_NOT_SATISFIABLE"')
    } else {
      t.equal(got.bytes.length, length, JSON.stringify(headers))
    }
  }
})

t.test('an empty file, whole and by range', async (t) => {
  const { session, url } = await setUp(t, 0)
  const whole = await download(url, session.token)
  t.equal(whole.status, 200)
  t.equal(whole.headers.get('content-length'), '0')
  t.equal((await download(url, session.token, { range: 'bytes=0-0' })).status, 416)
})

t.test('the connection of a finished download serves the next request', async (t) => {
  const { session, content, url } = await setUp(t, CHUNK + 1)
  const { file_id: empty } = await uploadFile(session, session.token, new Uint8Array())
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.teardown(() => agent.destroy())
  const ports = new Set<number | undefined>()
  for (let i = 0; i < 20; i++) {
    for (const [path, length] of [[url, content.length], [`${session.url}/download/${empty}`, 0]] as const) {
      const request = get(path, { agent, headers: { authorization: `Bearer ${session.token}` } })
      const [response] = await once(request, 'response') as [IncomingMessage]
      ports.add(response.socket.localPort)
      t.equal((await buffer(response)).length, length)
    }
  }
  t.equal(ports.size, 1)
})

/** Reads an answer until it ends or breaks. */
async function readAll (url: string, token: string): Promise<{ status: number | undefined, length: number, broken: boolean }> {
  const request = get(url, { headers: { authorization: `Bearer ${token}` } })
  const [response] = await once(request, 'response') as [IncomingMessage]
  let length = 0
  try {
    for await (const piece of response) length += (piece as Uint8Array).length
    return { status: response.statusCode, length, broken: false }
  } catch {
    return { status: response.statusCode, length, broken: true }
  }
}

t.test('damaged ciphertext is never a short or a wrong success', async (t) => {
  const size = 40 * CHUNK + 10
  const { server, session, url } = await setUp(t, size)
  const folder = join(server.folder, 'local-send')
  const blob = join(folder, (await readdir(folder)).find((name) => name.endsWith('.lsf')) ?? '')
  const original = await readFile(blob)
  const damage = (position: number): Promise<void> => {
    const bytes = Buffer.from(original)
    bytes.writeUInt8(bytes.readUInt8(position) ^ 1, position)
    return writeFile(blob, bytes)
  }
  const swapped = Buffer.concat([
    original.subarray(0, HEADER),
    original.subarray(HEADER + SEALED_CHUNK, HEADER + 2 * SEALED_CHUNK),
    original.subarray(HEADER, HEADER + SEALED_CHUNK),
    original.subarray(HEADER + 2 * SEALED_CHUNK)
  ])
  const beforeStatus: Record<string, () => Promise<void>> = {
    'a bit of the magic': () => damage(0),
    'a bit of the salt': () => damage(30),
    'a bit of the commitment': () => damage(70),
    'a bit of the first chunk': () => damage(HEADER + 5),
    'cut short by one byte': () => truncate(blob, original.length - 1),
    'cut short by its last chunk': () => truncate(blob, HEADER + 40 * SEALED_CHUNK),
    'cut to its header': () => truncate(blob, HEADER),
    emptied: () => truncate(blob, 0),
    'longer than it was': () => writeFile(blob, Buffer.concat([original, Buffer.alloc(1)])),
    'chunks swapped': () => writeFile(blob, swapped)
  }
  for (const [name, harm] of Object.entries(beforeStatus)) {
    await writeFile(blob, original)
    await harm()
    t.equal((await call(url, { token: session.token })).summary, '500 CONTAINER_DAMAGED', name)
  }
  await writeFile(blob, original)
  await damage(HEADER + 39 * SEALED_CHUNK)
  const late = await readAll(url, session.token)
  t.equal(late.status, 200)
  t.ok(late.broken, 'damage that shows after the status breaks the connection')
  t.ok(late.length <= 39 * CHUNK, 'nothing of the damaged chunk was sent')
  await writeFile(blob, original)
  t.same(await readAll(url, session.token), { status: 200, length: size, broken: false })
})

t.test('closing and leaving end a download under way', async (t) => {
  const { server, session, url } = await setUp(t, 60 * 2 ** 20)
  const joiner = await joinSession(session)
  for (const [token, end] of [[joiner, 'leave'], [session.token, 'close']] as const) {
    const request = get(url, { headers: { authorization: `Bearer ${token}` } })
    const [response] = await once(request, 'response') as [IncomingMessage]
    const failed = once(response, 'error')
    response.once('readable', () => { response.read(1) })
    await delay(50)
    await call(`${session.url}/${end}`, { method: 'POST', token })
    await eventually(() => server.app.sessions.transfers.size === 0)
    response.resume()
    await failed
    t.ok(response.destroyed, end)
  }
})

t.test('a reader that stops holds no more than its share, and releases it', async (t) => {
  const { server, session, url } = await setUp(t, 40 * 2 ** 20, { STREAM_MEMORY: '4MiB' })
  const stalled = await Promise.all(Array.from({ length: 3 }, async () => {
    const request = get(url, { headers: { authorization: `Bearer ${session.token}` } })
    const [response] = await once(request, 'response') as [IncomingMessage]
    return response
  }))
  t.equal((await download(url, session.token)).bytes.length, 40 * 2 ** 20, 'others are served meanwhile')
  // The server learns that its last bytes were sent after the client has read them.
  await eventually(() => server.app.sessions.transfers.size <= 3)
  t.equal(server.app.sessions.transfers.size, 3, 'those that stopped are still there')
  for (const response of stalled) response.destroy()
  await eventually(() => server.app.sessions.transfers.size === 0)
  const all = await Promise.all(Array.from({ length: 8 }, () => download(url, session.token)))
  t.ok(all.every(({ bytes }) => bytes.length === 40 * 2 ** 20), 'all slots are back')
})

t.test('a slow reader gets every byte: no chunk is given up before it was sent', async (t) => {
  const { session, content, url } = await setUp(t, 20 * 2 ** 20)
  const request = get(url, { headers: { authorization: `Bearer ${session.token}` } })
  const [response] = await once(request, 'response') as [IncomingMessage]
  const pieces: Uint8Array[] = []
  for await (const piece of response) {
    pieces.push(piece as Uint8Array)
    if (pieces.length % 32 === 0) await delay(20)
  }
  t.equal(sha256(Buffer.concat(pieces)), sha256(content))
})

t.test('max_downloads is exact under concurrent downloads, and a broken one does not count', async (t) => {
  const { server, session, url } = await setUp(t, 30 * 2 ** 20, {}, { max_downloads: 1 })
  const request = get(url, { headers: { authorization: `Bearer ${session.token}` } })
  const [response] = await once(request, 'response') as [IncomingMessage]
  t.equal((await call(url, { token: session.token })).summary, '410 DOWNLOADS_USED_UP', 'one is under way')
  response.destroy()
  await eventually(() => server.app.sessions.transfers.size === 0)

  const answers = await Promise.all(Array.from({ length: 20 }, () => download(url, session.token)))
  t.equal(answers.filter(({ status }) => status === 200).length, 1)
  t.equal(answers.filter(({ status }) => status === 410).length, 19)
})

t.test('uploading and downloading many files at once, with little memory', async (t) => {
  const server = await startServer(t, { STREAM_MEMORY: '2MiB' })
  const session = await createSession(server.origin)
  const contents = Array.from({ length: 12 }, (_, i) => randomContent(CHUNK * 3 + i))
  const files = await Promise.all(contents.map(async (content, i) => {
    const { body } = await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form({ content, name: `${i}` }) })
    return (body['files'] as UploadedFile[])[0]?.file_id ?? ''
  }))
  const got = await Promise.all(files.map((id) => download(`${session.url}/download/${id}`, session.token)))
  t.same(got.map(({ bytes }) => sha256(bytes)), contents.map((content) => sha256(content)))
})

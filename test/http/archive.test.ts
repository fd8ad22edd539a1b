import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { call, createSession, download, form, joinSession, randomContent, sha256, uploadFile, type TestSession, type UploadedFile } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startServer, temporaryFolder, type TestServer } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

const CHUNK = 2 ** 18
const MIB = 2 ** 20

type Tap = Parameters<typeof startServer>[0]

async function setUp (t: Tap, sizes: number[], environment: Record<string, string> = {}, options: object = {}): Promise<{ server: TestServer, session: TestSession, contents: Uint8Array[], files: UploadedFile[], url: string }> {
  const server = await startServer(t, environment)
  const session = await createSession(server.origin, options)
  const contents = sizes.map(randomContent)
  const files = []
  for (const [i, content] of contents.entries()) files.push(await uploadFile(session, session.token, new Uint8Array(content), `${i}.bin`))
  return { server, session, contents, files, url: `${session.url}/archive` }
}

async function begin (url: string, token: string): Promise<IncomingMessage> {
  const request = get(url, { headers: { authorization: `Bearer ${token}` } })
  const [response] = await once(request, 'response') as [IncomingMessage]
  return response
}

/** What comes of an answer until it ends or breaks, by a reader that stops now and then. */
async function readAll (response: IncomingMessage, pause = 0): Promise<{ bytes: Buffer, broken: boolean }> {
  const pieces: Uint8Array[] = []
  try {
    for await (const piece of response) {
      pieces.push(piece as Uint8Array)
      if (pause > 0 && pieces.length % 32 === 0) await delay(pause)
    }
    return { bytes: Buffer.concat(pieces), broken: false }
  } catch {
    return { bytes: Buffer.concat(pieces), broken: true }
  }
}

/** Unpacks with Info-ZIP's unzip, which checks every CRC. @returns the SHA-256 of each file, by its name */
async function unpack (t: Tap, archive: Uint8Array): Promise<{ folder: string, digests: Record<string, string> }> {
  const parent = await temporaryFolder(t)
  const folder = join(parent, 'unpacked')
  await mkdir(folder)
  await writeFile(join(parent, 'archive.zip'), archive)
  await promisify(execFile)('unzip', ['-q', join(parent, 'archive.zip'), '-d', folder], { env: { ...process.env, LC_ALL: 'C.UTF-8' } })
  const names = (await readdir(folder)).sort()
  return { folder, digests: Object.fromEntries(await Promise.all(names.map(async (name) => [name, sha256(await readFile(join(folder, name)))] as const))) }
}

async function uploadInParts ({ url }: TestSession, token: string, name: string, parts: Uint8Array[]): Promise<void> {
  const tus = { 'tus-resumable': '1.0.0' }
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const { headers } = await call(`${url}/uploads`, { method: 'POST', token, headers: { ...tus, 'upload-length': String(length), 'upload-metadata': `filename ${Buffer.from(name).toString('base64')}` } })
  const id = headers.get('location')?.split('/').at(-1) ?? ''
  let offset = 0
  for (const part of parts) {
    const response = await fetch(`${url}/uploads/${id}`, {
      method: 'PATCH',
      headers: { ...tus, authorization: `Bearer ${token}`, 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' },
      body: new Uint8Array(part)
    })
    if (response.status !== 204) throw new Error(`PATCH answered ${response.status}`)
    offset += part.length
  }
}

const settled = async ({ app }: TestServer): Promise<void> => {
  await eventually(() => app.sessions.transfers.size === 0)
}

t.test('an archive unpacks to every byte of every file, under names of their own', async (t) => {
  if (!await needs(t, 'unzip')) return
  const uploadedAt = Date.UTC(2024, 1, 29, 12, 34, 56)
  let now = uploadedAt
  const { origin } = await startServer(t, {}, { clock: () => now })
  const session = await createSession(origin)
  const sent: Array<[name: string, size: number, unpacked: string]> = [
    ['report.pdf', 10, 'report.pdf'],
    ['Report.PDF', CHUNK, 'Report (3).PDF'],
    ['report.pdf', CHUNK + 1, 'report (4).pdf'],
    ['report (2).pdf', 3 * CHUNK - 1, 'report (2).pdf'],
    ['Übung 5 – 日本.pdf', 40 * CHUNK + 10, 'Übung 5 – 日本.pdf'],
    ['empty', 0, 'empty'],
    ['empty', 0, 'empty (2)']
  ]
  const expected: Record<string, string> = {}
  for (const [name, size, unpacked] of sent) {
    expected[unpacked] = (await uploadFile(session, session.token, randomContent(size), name)).sha256
  }
  const parts = [CHUNK + 1, 5, 2 * CHUNK].map(randomContent)
  await uploadInParts(session, session.token, 'in parts.bin', parts)
  expected['in parts.bin'] = sha256(Buffer.concat(parts))
  // An upload under way is none of the files.
  await call(`${session.url}/uploads`, { method: 'POST', token: session.token, headers: { 'tus-resumable': '1.0.0', 'upload-length': '5' } })
  now += 60_000

  const { status, headers, bytes } = await download(`${session.url}/archive`, session.token)
  t.equal(status, 200)
  t.match(Object.fromEntries(headers), {
    'content-type': 'application/zip',
    'content-length': String(bytes.length),
    'content-disposition': `attachment; filename=local-send-${session.id}.zip`,
    'cache-control': 'private, no-store',
    'content-security-policy': 'sandbox',
    'x-content-type-options': 'nosniff'
  })
  const { folder, digests } = await unpack(t, bytes)
  t.same(digests, expected)
  t.equal((await stat(join(folder, 'empty'))).mtimeMs, uploadedAt, 'the time of the upload')
})

t.test('a slow reader gets every byte: no chunk is given up before it was sent', async (t) => {
  if (!await needs(t, 'unzip')) return
  const { session, contents, url } = await setUp(t, [12 * MIB + 1, 0, 8 * MIB])
  const { bytes } = await readAll(await begin(url, session.token), 20)
  const { digests } = await unpack(t, bytes)
  t.same(Object.values(digests), contents.map(sha256))
})

t.test('many files: the announced length is still right', async (t) => {
  if (!await needs(t, 'unzip')) return
  const { origin } = await startServer(t)
  const session = await createSession(origin)
  const contents = Array.from({ length: 400 }, (_, i) => ({ content: randomContent(i % 3), name: 'x'.repeat(200) }))
  for (let i = 0; i < contents.length; i += 100) await call(`${session.url}/upload`, { method: 'POST', token: session.token, body: form(...contents.slice(i, i + 100)) })
  const response = await begin(`${session.url}/archive`, session.token)
  const { bytes, broken } = await readAll(response)
  t.notOk(broken)
  t.equal(response.headers['content-length'], String(bytes.length))
  const { digests } = await unpack(t, bytes)
  t.same(Object.values(digests).sort(), contents.map(({ content }) => sha256(content)).sort())
})

t.test('without a file that is complete there is no archive', async (t) => {
  const { session, url } = await setUp(t, [])
  t.equal((await call(url, { token: session.token })).summary, '404 FILE_NOT_FOUND')
  await call(`${session.url}/uploads`, { method: 'POST', token: session.token, headers: { 'tus-resumable': '1.0.0', 'upload-length': '5' } })
  t.equal((await call(url, { token: session.token })).summary, '404 FILE_NOT_FOUND')
})

t.test('it counts as one download of each file, of all or of none', async (t) => {
  const { session, files, url } = await setUp(t, [10, CHUNK, 0], {}, { max_downloads: 2 })
  const of = (i: number): string => `${session.url}/download/${files[i]?.file_id}`
  t.equal((await download(url, session.token)).status, 200)
  t.equal((await download(of(1), session.token)).status, 200)
  t.equal((await call(url, { token: session.token })).summary, '410 DOWNLOADS_USED_UP', 'one is used up')
  t.same([(await download(of(0), session.token)).status, (await download(of(2), session.token)).status], [200, 200], 'nothing was taken from the others')
  t.same([(await download(of(0), session.token)).status, (await download(of(2), session.token)).status], [410, 410])
})

t.test('under concurrent archives the limit is exact', async (t) => {
  const { session, url } = await setUp(t, [CHUNK, CHUNK + 1], {}, { max_downloads: 1 })
  const answers = await Promise.all(Array.from({ length: 20 }, () => download(url, session.token)))
  t.same(answers.map(({ status }) => status).sort(), [200, ...Array.from({ length: 19 }, () => 410)])
})

t.test('a broken archive counts as a download of what was sent whole', async (t) => {
  const { server, session, files, url } = await setUp(t, [CHUNK + 1, 24 * MIB, 10], {}, { max_downloads: 1 })
  const response = await begin(url, session.token)
  let length = 0
  for await (const piece of response) {
    length += (piece as Uint8Array).length
    if (length > 4 * MIB) break
  }
  await settled(server)
  const answers = await Promise.all(files.map(({ file_id: id }) => download(`${session.url}/download/${id}`, session.token)))
  t.same(answers.map(({ status }) => status), [410, 200, 200])
})

t.test('a damaged file breaks the connection', async (t) => {
  const { server, session, files, url } = await setUp(t, [10, 20 * CHUNK, 30])
  const folder = join(server.folder, 'local-send')
  const blob = join(folder, (await readdir(folder)).find((name) => name.includes(files[1]?.file_id ?? '-')) ?? '')
  const content = await readFile(blob)
  const damaged = Buffer.from(content)
  damaged[content.length - 1] = ~damaged.readUInt8(content.length - 1) & 0xff
  for (const [name, bytes] of [['its last byte', damaged], ['its end', content.subarray(0, -1)], ['all of it', Buffer.alloc(0)]] as const) {
    await writeFile(blob, bytes)
    const response = await begin(url, session.token)
    const got = await readAll(response)
    t.equal(response.statusCode, 200)
    t.ok(got.broken, name)
    t.ok(got.bytes.length < 20 * CHUNK, 'nothing of the damaged chunk was sent')
    await settled(server)
  }
})

t.test('closing, leaving and stopping end an archive under way', async (t) => {
  const { server, session, url } = await setUp(t, [20 * MIB, 20 * MIB])
  const joiner = await joinSession(session)
  const ends: Array<[token: string, end: () => Promise<unknown>]> = [
    [joiner, () => call(`${session.url}/leave`, { method: 'POST', token: joiner })],
    [session.token, () => call(`${session.url}/close`, { method: 'POST', token: session.token })]
  ]
  for (const [token, end] of ends) {
    const response = await begin(url, token)
    await delay(50)
    await end()
    await settled(server)
    t.ok((await readAll(response)).broken)
  }
  const other = await createSession(server.origin)
  await uploadFile(other, other.token, randomContent(20 * MIB))
  const response = await begin(`${other.url}/archive`, other.token)
  const closed = server.app.close()
  t.ok((await readAll(response)).broken)
  await closed
})

t.test('readers that stop or hang up keep no memory from others', async (t) => {
  const { server, session, url } = await setUp(t, [8 * MIB, 8 * MIB], { STREAM_MEMORY: '2MiB' })
  const stalled = await Promise.all(Array.from({ length: 3 }, () => begin(url, session.token)))
  t.notOk((await readAll(await begin(url, session.token))).broken, 'others are served meanwhile')
  await eventually(() => server.app.sessions.transfers.size <= 3)
  for (const response of stalled) response.destroy()
  // More often than there are slots.
  for (let i = 0; i < 6; i++) {
    const response = await begin(url, session.token)
    t.equal(response.statusCode, 200)
    await once(response, 'readable')
    response.destroy()
    await settled(server)
  }
  t.notOk((await readAll(await begin(url, session.token))).broken, 'all slots are back')
})

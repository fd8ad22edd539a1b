import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Upload, type PreviousUpload, type UploadOptions, type UrlStorage } from 'tus-js-client'
import { call, createSession, download, randomContent, sha256, type TestSession } from '../helpers/client.js'
import { startProxy, type Proxy } from '../helpers/proxy.js'
import { startServer } from '../helpers/server.js'

const CHUNK = 2 ** 18

interface Setting {
  /** UPLOAD_FOLDER */
  readonly folder: string
  readonly session: TestSession
  /** Between the client and the server. */
  readonly proxy: Proxy
}

async function setUp (t: Test): Promise<Setting> {
  const { origin, folder } = await startServer(t)
  return { folder, session: await createSession(origin), proxy: await startProxy(t, origin) }
}

/** What the client has asked for: `PATCH 262144`, the number being where the piece begins. */
type Requests = string[]

interface Run {
  readonly upload: Upload
  readonly requests: Requests
  /** Settles with what the client itself tells of the end. */
  readonly ended: Promise<void>
}

/** An upload through the proxy, which has not begun. */
function prepare ({ session, proxy }: Setting, content: Buffer | Readable, options: UploadOptions = {}): Run {
  const requests: Requests = []
  const { promise: ended, resolve, reject } = withResolvers()
  const upload = new Upload(content, {
    endpoint: `${proxy.origin}/api/session/${session.id}/uploads`,
    headers: { authorization: `Bearer ${session.token}` },
    metadata: { filename: 'large.bin', filetype: 'application/x-test' },
    retryDelays: [0, 0, 0],
    onBeforeRequest: (request) => { requests.push(`${request.getMethod()} ${request.getHeader('Upload-Offset') ?? ''}`.trim()) },
    onSuccess: () => { resolve() },
    onError: reject,
    ...options
  })
  return { upload, requests, ended }
}

function withResolvers (): { promise: Promise<void>, resolve: () => void, reject: (reason: Error) => void } {
  let resolve: () => void = () => {}
  let reject: (reason: Error) => void = () => {}
  const promise = new Promise<void>((_resolve, _reject) => { [resolve, reject] = [_resolve, _reject] })
  return { promise, resolve, reject }
}

interface Listed {
  readonly file_id: string
  readonly state: string
  readonly offset: number
  readonly sha256?: string
}

async function listed ({ url, token }: TestSession): Promise<readonly Listed[]> {
  return (await call(`${url}/files`, { token })).body['files'] as Listed[]
}

/** Waits until the server says that so much has arrived. */
async function arrived (session: TestSession, bytes: number): Promise<void> {
  while (((await listed(session))[0]?.offset ?? 0) < bytes) await delay(10)
}

/** The one file of the session is this one, in the list and when it is downloaded. */
async function same (t: Test, { session }: Setting, content: Uint8Array): Promise<void> {
  const files = await listed(session)
  t.match(files, [{ filename: 'large.bin', content_type: 'application/x-test', state: 'ready', size: content.length, sha256: sha256(content) }])
  t.equal(files.length, 1)
  const { bytes } = await download(`${session.url}/download/${files[0]?.file_id ?? ''}`, session.token)
  t.ok(Buffer.from(bytes).equals(content), 'the download is identical')
}

/** URLs of uploads, for a client that comes back. */
class MemoryStorage implements UrlStorage {
  readonly #uploads = new Map<string, PreviousUpload>()

  findAllUploads (): Promise<PreviousUpload[]> {
    return Promise.resolve([...this.#uploads.values()])
  }

  findUploadsByFingerprint (fingerprint: string): Promise<PreviousUpload[]> {
    return Promise.resolve([...this.#uploads].filter(([key]) => key.startsWith(fingerprint)).map(([urlStorageKey, upload]) => ({ ...upload, urlStorageKey })))
  }

  removeUpload (key: string): Promise<void> {
    this.#uploads.delete(key)
    return Promise.resolve()
  }

  addUpload (fingerprint: string, upload: PreviousUpload): Promise<string> {
    const key = `${fingerprint} ${this.#uploads.size}`
    this.#uploads.set(key, upload)
    return Promise.resolve(key)
  }
}

const content = Buffer.from(randomContent(5 * CHUNK + 12_345))

t.test('in chunks, by PATCH or by POST that says so', async (t) => {
  for (const overridePatchMethod of [false, true]) {
    const setting = await setUp(t)
    const { upload, requests, ended } = prepare(setting, content, { chunkSize: CHUNK, overridePatchMethod })
    upload.start()
    await ended
    const method = overridePatchMethod ? 'POST' : 'PATCH'
    t.same(requests, ['POST', ...[0, 1, 2, 3, 4, 5].map((i) => `${method} ${i * CHUNK}`)])
    await same(t, setting, content)
  }
})

t.test('a connection that is cut twice within one piece', async (t) => {
  const setting = await setUp(t)
  const { upload, requests, ended } = prepare(setting, content)
  const begins = (): number => Number(requests.at(-1)?.slice('PATCH '.length))
  const offsets: number[] = []
  for (const round of [1, 2]) {
    const held = setting.proxy.hold(2 * CHUNK + 50_000)
    if (round === 1) upload.start()
    const { cut } = await held
    offsets.push(begins())
    await arrived(setting.session, begins() + 2 * CHUNK)
    cut()
  }
  await ended
  offsets.push(begins())
  t.match(requests, ['POST', 'PATCH 0', 'HEAD', /^PATCH /, 'HEAD', /^PATCH /])
  const [first = NaN, second = NaN, third = NaN] = offsets
  t.ok(first === 0 && second >= 2 * CHUNK && third >= second + 2 * CHUNK, `what had arrived is not sent again: ${offsets.join()}`)
  await same(t, setting, content)
})

t.test('a client that comes back with a URL it has stored', async (t) => {
  const setting = await setUp(t)
  const urlStorage = new MemoryStorage()
  const first = prepare(setting, content, { chunkSize: CHUNK, urlStorage })
  const stopped = new Promise<void>((resolve) => {
    first.upload.options.onChunkComplete = (_size, offset) => {
      if (offset === 2 * CHUNK) resolve(first.upload.abort())
    }
  })
  first.upload.start()
  await stopped

  const second = prepare(setting, content, { urlStorage })
  const [previous] = await second.upload.findPreviousUploads()
  if (previous === undefined) throw new Error('the client does not know its upload')
  second.upload.resumeFromPreviousUpload(previous)
  second.upload.start()
  await second.ended
  t.same(second.requests, ['HEAD', `PATCH ${2 * CHUNK}`])
  await same(t, setting, content)
})

t.test('a stream whose length only its end tells', async (t) => {
  for (const size of [3 * CHUNK + 1, 3 * CHUNK]) {
    const setting = await setUp(t)
    const whole = content.subarray(0, size)
    const { upload, ended } = prepare(setting, Readable.from([whole.subarray(0, 100_000), whole.subarray(100_000)]), { chunkSize: CHUNK, uploadLengthDeferred: true })
    upload.start()
    await ended
    await same(t, setting, whole)
  }
})

t.test('data that comes along with the creation', async (t) => {
  const setting = await setUp(t)
  const { upload, requests, ended } = prepare(setting, content, { uploadDataDuringCreation: true })
  upload.start()
  await ended
  t.same(requests, ['POST'])
  await same(t, setting, content)

  const inPieces = await setUp(t)
  const pieces = prepare(inPieces, content, { uploadDataDuringCreation: true, chunkSize: 3 * CHUNK })
  pieces.upload.start()
  await pieces.ended
  t.same(pieces.requests, ['POST', `PATCH ${3 * CHUNK}`])
  await same(t, inPieces, content)
})

t.test('an empty file', async (t) => {
  const setting = await setUp(t)
  const { upload, ended } = prepare(setting, Buffer.alloc(0))
  upload.start()
  await ended
  await same(t, setting, new Uint8Array())
})

t.test('a digest announced for the file decides whether it is one', async (t) => {
  const setting = await setUp(t)
  const metadata = { filename: 'large.bin', filetype: 'application/x-test' }
  const wrong = prepare(setting, content, { metadata: { ...metadata, sha256: '0'.repeat(64) } })
  wrong.upload.start()
  await t.rejects(wrong.ended, /response code: 422/)
  t.same(await listed(setting.session), [])
  const right = prepare(setting, content, { metadata: { ...metadata, sha256: sha256(content) } })
  right.upload.start()
  await right.ended
  await same(t, setting, content)
})

t.test('an upload that is given up leaves nothing', async (t) => {
  const setting = await setUp(t)
  const { upload, requests } = prepare(setting, content, { chunkSize: CHUNK })
  const given = new Promise<void>((resolve) => {
    upload.options.onChunkComplete = (_size, offset) => { if (offset === 2 * CHUNK) resolve(upload.abort(true)) }
  })
  upload.start()
  await given
  t.same(requests, ['POST', 'PATCH 0', `PATCH ${CHUNK}`, 'DELETE'])
  t.same(await listed(setting.session), [])
  t.same(await readdir(join(setting.folder, 'local-send')), ['lock'])
})

import fc from 'fast-check'
import t from 'tap'
import { MultipartBody } from '../../../client/multipart.js'
import { safeFileName } from '../../../lib/files/names.js'
import { call, createSession, sha256 } from '../../helpers/client.js'
import { connectTo, postHead } from '../../helpers/raw.js'
import { holds, must } from './holds.js'
import { mutatedBytes, pieces, share, sizes, text } from './inputs.js'
import { exchangeRaw, mustBeAnswered, startFuzzed, type RawAnswer } from './place.js'

const BOUNDARY = 'x-boundary'

/** A part as somebody may write it. */
const CONTENT = fc.oneof(text(40), fc.constantFrom('', 'content', `\r\n--${BOUNDARY}`, `\r\n--${BOUNDARY}--`, '\r\n', '\r', '-'.repeat(3000)))
const value = fc.oneof(text(20), fc.constantFrom('file', 'sha256', 'file_id', 'metadata', 'max_downloads', 'expires_in', '__proto__', 'toString', '', 'x'.repeat(200)))
const head = fc.oneof(
  fc.tuple(value, fc.option(value)).map(([name, filename]) => `content-disposition: form-data; name="${name}"${filename === null ? '' : `; filename="${filename}"`}`),
  { weight: 6, arbitrary: fc.constant('content-disposition: form-data; name="file"; filename="a.txt"\r\ncontent-type: text/plain') },
  fc.tuple(text(20), text(20)).map(([name, charset]) => `content-disposition: form-data; name*=${charset}''${name}; filename*=utf-8''%zz${name}`),
  fc.constantFrom(
    '', 'content-disposition: form-data', 'content-disposition: attachment; filename=a', 'content-type: text/plain',
    'content-disposition: form-data; name=file; filename="a"\r\ncontent-transfer-encoding: base64',
    `content-disposition: form-data; name="file"; filename="${'.'.repeat(70_000)}a"`,
    `${'x: y\r\n'.repeat(3000)}content-disposition: form-data; name="file"; filename="a"`,
    `content-type: multipart/mixed; boundary=${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a"`,
    'content-disposition: form-data; name="file"; filename="a"\r\ncontent-type: text/plain; charset=utf-7'
  )
)
const parts = fc.array(fc.tuple(head, CONTENT), { maxLength: 5 })
const bodies = parts.map((all) => Buffer.from(`${all.map(([head, content]) => `--${BOUNDARY}\r\n${head}\r\n\r\n${content}\r\n`).join('')}--${BOUNDARY}--\r\n`))
/** Files of several chunks, of which some are stored when the body ends. */
const large = fc.array(fc.integer({ min: 2 ** 18, max: 2 ** 19 }), { minLength: 1, maxLength: 2 }).map((all) => Buffer.from(`${all.map((size) => `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\n${'x'.repeat(size)}\r\n`).join('')}--${BOUNDARY}--\r\n`))
const types = fc.oneof(
  { weight: 6, arbitrary: fc.constant(`multipart/form-data; boundary=${BOUNDARY}`) },
  fc.constantFrom('multipart/form-data', `multipart/form-data; boundary="${BOUNDARY}"`, `multipart/form-data; boundary=${'b'.repeat(300)}`, 'multipart/form-data; boundary=', `multipart/mixed; boundary=${BOUNDARY}`, `multipart/form-data; boundary=${BOUNDARY}; boundary=y`),
  text(30).map((end) => `multipart/form-data; boundary=${end.replace(/[\r\n\0]/g, '')}`)
)

t.test('a multipart body is taken whole, or refused in the words of the catalogue with nothing left of it', async (t) => {
  const place = await startFuzzed(t, { MAX_FILES: '1000000' })
  const { server: { app, origin } } = place
  const [{ session }, sealed] = await place.known()
  const stored = app.storageQuota.total
  const cut = fc.option(share, { freq: 2 })
  const taken = async (body: Uint8Array, type: string, cutAt: number | null, toSealed: boolean): Promise<void> => {
    const { url, token } = toSealed ? sealed.session : session
    const sent = cutAt === null ? body : body.subarray(0, Math.floor(cutAt * body.length))
    const request = Buffer.concat([Buffer.from(postHead(new URL(`${url}/upload`).pathname, { authorization: `Bearer ${token}`, 'content-type': type, 'content-length': body.length }), 'latin1'), sent])
    const answer = await exchangeRaw(origin, request, { patience: sent.length === body.length ? 5000 : 30 })
    try {
      mustBeAnswered(answer, false)
      must(sent.length < body.length || answer.status !== undefined, 'no answer')
      must(answer.status === undefined || answer.status === 201 || (answer.status >= 400 && answer.status < 500), `${answer.head} ${answer.body}`)
      await place.settled()
      await removeAll(answer, url, token)
      must(app.storageQuota.total === stored, `${app.storageQuota.total - stored} bytes are counted that nobody has`)
    } catch (cause) {
      throw new Error(`${String(cause)}\n\n${request.toString('latin1', 0, 5000)}`, { cause })
    }
  }
  await holds(t, 'bodies', fc.asyncProperty(fc.oneof(bodies, mutatedBytes(bodies)), types, cut, fc.boolean(), taken), 2)
  await holds(t, 'large bodies', fc.asyncProperty(large, fc.constant(`multipart/form-data; boundary=${BOUNDARY}`), cut, fc.constant(false), taken), 20)
  await place.cleared()
})

/** Removes what an answer says was stored. */
async function removeAll ({ status, body }: RawAnswer, url: string, token: string): Promise<void> {
  if (status !== 201) return
  for (const { file_id: id } of (JSON.parse(body) as { files: Array<{ file_id: string }> }).files) {
    must((await call(`${url}/files/${id}`, { method: 'DELETE', token })).status === 204, 'it was not there')
  }
}

t.test('what the client library writes is read as it was meant, in whatever pieces it comes', async (t) => {
  const { server: { origin } } = await startFuzzed(t, { MAX_FILES: '1000000' })
  const { url, token } = await createSession(origin)
  // The form of browsers has no backslash that every reader takes for itself; names that are made safe have none.
  const names = text().map((name) => name.toWellFormed().replaceAll('\\', '/'))
  await holds(t, 'names and contents', fc.asyncProperty(fc.array(fc.tuple(names, text(12), CONTENT), { minLength: 1, maxLength: 3 }), sizes, async (files, cuts) => {
    const multipart = new MultipartBody()
    for (const [name, type, content] of files) multipart.file(name, type, Buffer.from(content))
    const body = multipart.bytes()
    const socket = await connectTo(origin)
    let answer = ''
    socket.setEncoding('utf8').on('data', (piece: string) => { answer += piece })
    socket.write(postHead(new URL(`${url}/upload`).pathname, { authorization: `Bearer ${token}`, 'content-type': multipart.type, 'content-length': body.length }))
    for (const piece of pieces(body, cuts)) await new Promise((resolve) => socket.write(piece, resolve))
    await new Promise((resolve) => socket.once('close', resolve))
    const stored = (JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))) as { files: Array<{ filename: string, size: number, sha256: string }> }).files
    must(JSON.stringify(stored.map(({ sha256 }) => sha256)) === JSON.stringify(files.map(([, , content]) => sha256(Buffer.from(content)))), `other contents: ${answer}`)
    // Browsers have no way to write a quotation mark or a line break: the same goes for the library.
    must(JSON.stringify(stored.map(({ filename }) => filename)) === JSON.stringify(files.map(([name]) => safeFileName(name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A')))), `other names: ${answer}`)
  }), 4)
})

import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { zip } from '../../lib/files/zip.js'
import { call, createSession, sha256, uploadFile, type UploadedFile } from '../helpers/client.js'
import { startServer, temporaryFolder } from '../helpers/server.js'
import { needs } from '../helpers/services.js'

const run = promisify(execFile)

t.test('a file beyond 4 GiB, and one behind it', async (t) => {
  if (!await needs(t, 'unzip')) return
  const { origin } = await startServer(t, { MAX_FILE_SIZE: '5GiB' })
  const session = await createSession(origin)
  const size = 2 ** 32 + 100 * 2 ** 20 + 1
  const piece = new Uint8Array(2 ** 20).fill(7)
  const pieces = Readable.from((function * () { for (let rest = size; rest > 0; rest -= piece.length) yield piece.subarray(0, rest) })(), { objectMode: false })
  const uploaded = await fetch(`${session.url}/files/large.bin`, { method: 'PUT', headers: { authorization: `Bearer ${session.token}` }, body: pieces, duplex: 'half' })
  const { files: [large] } = await uploaded.json() as { files: UploadedFile[] }
  t.equal(large?.size, size)
  const small = new Uint8Array(10).fill(1)
  await uploadFile(session, session.token, small, 'behind.bin')

  const archive = join(await temporaryFolder(t), 'archive.zip')
  const response = await fetch(`${session.url}/archive`, { headers: { authorization: `Bearer ${session.token}` } })
  if (response.body === null) throw new Error('no body')
  const file = createWriteStream(archive)
  await pipeline(response.body, file)
  t.equal(response.headers.get('content-length'), String(file.bytesWritten))
  await call(`${session.url}/close`, { method: 'POST', token: session.token })
  t.match((await run('unzip', ['-tq', archive])).stdout, 'No errors detected')
  const { stdout } = await run('sh', ['-c', 'unzip -p "$1" large.bin | sha256sum; unzip -p "$1" behind.bin | sha256sum', 'sh', archive])
  t.same(stdout.split('\n').slice(0, 2).map((line) => line.slice(0, 64)), [large?.sha256, sha256(small)])
})

t.test('more files than the directory of a plain zip can count', async (t) => {
  if (!await needs(t, 'unzip')) return
  async function * content (): AsyncGenerator<Uint8Array, void> { yield await Promise.resolve(new Uint8Array([1])) }
  const { length, pieces } = zip(Array.from({ length: 66_000 }, (_, i) => ({ name: String(i), size: 1, modifiedAt: 0, open: content })))
  const archive = join(await temporaryFolder(t), 'archive.zip')
  const file = await open(archive, 'w')
  for await (const piece of pieces) await file.appendFile(piece)
  t.equal((await file.stat()).size, length)
  await file.close()
  t.match((await run('unzip', ['-tq', archive])).stdout, 'No errors detected')
  t.match((await run('unzip', ['-Z', '-t', archive])).stdout, '66000 files')
})

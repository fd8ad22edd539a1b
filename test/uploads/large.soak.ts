import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import t from 'tap'
import { parseSize } from '../../lib/config-values.js'
import { call } from '../helpers/client.js'
import { Noise } from '../helpers/noise.js'
import { beginUpload, offsetOf, openPiece } from '../helpers/tus.js'
import { startPlace, type Place } from './place.js'

const MIB = 2 ** 20
const GIB = 2 ** 30
const INTERRUPTIONS = 10
const SEED = 'large'

const size = parseSize(process.env['SOAK_SIZE'] ?? '10GiB')
/** Uploaded at one go, to compare with. */
const reference = Math.max(Math.ceil(size / 10), Math.min(size, 64 * MIB))

interface Measured {
  readonly id: string
  /** Seconds, without those that the server takes to start again. */
  readonly seconds: number
  /** Bytes of memory that a server which has crashed meanwhile had at most; 0 if none has. */
  readonly memory: number
  readonly sha256: string
  readonly resumedAt: readonly number[]
}

/** The most memory that a process ever had. */
async function peakMemory ({ server: { child } }: Place): Promise<number> {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(await readFile(`/proc/${child.pid ?? 0}/status`, 'latin1')) ?? []
  return Number(kilobytes) * 1024
}

/** Uploads so many bytes that nobody has anywhere, broken off that many times: by a crash in the middle, else by the network. */
async function upload (place: Place, length: number, interruptions: number): Promise<Measured> {
  const { token } = place.session
  const { id } = await beginUpload(place.session, token, { 'upload-length': String(length) })
  const url = (): string => `${place.session.url}/uploads/${id}`
  const hash = createHash('sha256')
  let hashed = 0
  let memory = 0
  let pause = 0
  const resumedAt: number[] = []

  function * bytes (from: number, to: number): Generator<Uint8Array> {
    const noise = new Noise(SEED, from)
    for (let at = from; at < to;) {
      const piece = noise.take(Math.min(MIB, to - at))
      at += piece.length
      if (at > hashed) hash.update(piece.subarray(Math.max(0, piece.length - (at - hashed))))
      hashed = Math.max(hashed, at)
      yield piece
    }
  }

  async function send (from: number, to: number): Promise<ReturnType<typeof openPiece>> {
    const piece = openPiece(url(), token, from, { 'content-length': String(length - from) })
    const early = piece.answer.then(({ status, body }) => { throw new Error(`answered ${status} ${body} before the end`) })
    early.catch(() => {})
    for (const part of bytes(from, to)) {
      if (!piece.request.write(part)) await Promise.race([once(piece.request, 'drain'), early])
    }
    return piece
  }

  const began = performance.now()
  for (let i = 1; i <= interruptions; i++) {
    const from = await offsetOf(url(), token)
    if (i > 1) resumedAt.push(from)
    const { request } = await send(from, Math.floor(length * i / (interruptions + 1)))
    if (i === Math.ceil(interruptions / 2)) {
      memory = await peakMemory(place)
      const stopped = performance.now()
      await place.crash()
      pause = performance.now() - stopped
    }
    request.destroy()
  }
  const from = await offsetOf(url(), token)
  if (interruptions > 0) resumedAt.push(from)
  const { request, answer } = await send(from, length)
  request.end()
  const { status, body } = await answer
  if (status !== 204) throw new Error(`the last piece was answered ${status} ${body}`)
  const seconds = (performance.now() - began - pause) / 1000
  return { id, seconds, memory, sha256: hash.digest('hex'), resumedAt }
}

async function downloadedSha256 ({ session }: Place, id: string): Promise<string> {
  const { body } = await fetch(`${session.url}/download/${id}`, { headers: { authorization: `Bearer ${session.token}` } })
  const hash = createHash('sha256')
  for await (const piece of body as AsyncIterable<Uint8Array>) hash.update(piece)
  return hash.digest('hex')
}

async function remove ({ session }: Place, id: string): Promise<void> {
  await call(`${session.url}/files/${id}`, { method: 'DELETE', token: session.token })
}

const inGiB = (bytes: number): string => `${(bytes / GIB).toFixed(2)} GiB`

t.test('a large file whose upload is interrupted ten times', async (t) => {
  const { bavail, bsize } = await statfs(tmpdir())
  const needed = size * 1.01 + GIB
  if (bavail * bsize < needed) {
    t.fail(`${inGiB(needed)} of disk are needed in ${tmpdir()}, and ${inGiB(bavail * bsize)} are free: set TMPDIR or SOAK_SIZE`)
    return
  }
  const place = await startPlace(t, { MAX_FILE_SIZE: String(size), MAX_SESSION_SIZE: String(size + reference) })
  const whole = await upload(place, reference, 0)
  t.equal(await downloadedSha256(place, whole.id), whole.sha256)
  await remove(place, whole.id)
  // A server that takes up what a crash has left does other work than one that has not crashed.
  const small = await upload(place, reference, INTERRUPTIONS)
  t.equal(await downloadedSha256(place, small.id), small.sha256)
  const usual = Math.max(small.memory, await peakMemory(place))
  await remove(place, small.id)

  const broken = await upload(place, size, INTERRUPTIONS)
  t.equal(broken.resumedAt.length, INTERRUPTIONS)
  t.ok(broken.resumedAt.every((offset, i) => offset > (broken.resumedAt[i - 1] ?? 0)), `each goes on behind the one before: ${broken.resumedAt.map(inGiB).join()}`)
  const [file] = (await call(`${place.session.url}/files`, { token: place.session.token })).body['files'] as Array<Record<string, unknown>>
  t.match(file, { file_id: broken.id, state: 'ready', size, sha256: broken.sha256 })
  t.equal(await downloadedSha256(place, broken.id), broken.sha256, 'the download is identical')

  const memory = Math.max(broken.memory, await peakMemory(place)) / usual
  const time = broken.seconds / (whole.seconds * size / reference)
  t.comment(`${inGiB(reference)} at one go: ${whole.seconds.toFixed(1)} s; interrupted: ${Math.round(usual / MIB)} MiB of memory at most`)
  t.comment(`${inGiB(size)}, interrupted: ${broken.seconds.toFixed(1)} s (${time.toFixed(2)} of what its size lets expect), ${memory.toFixed(2)} of the memory`)
  t.ok(memory <= 1.25, 'it takes no more memory than a small one')
  t.ok(time <= 3, 'nor more time for its size')
})

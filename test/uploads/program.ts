import assert from 'node:assert/strict'
import { once } from 'node:events'
import fc from 'fast-check'
import { call, download, sha256 } from '../helpers/client.js'
import { Noise } from '../helpers/noise.js'
import { arrived, beginUpload, checksumOf, offsetOf, openPiece, sendPiece } from '../helpers/tus.js'
import type { Place } from './place.js'

const CHUNK = 2 ** 18

/** A piece of which only a part is sent before something breaks. */
interface Broken {
  readonly size: number
  readonly sent: number
  readonly checksum: boolean
  /** Whether it breaks only when the server has stored the chunks that are whole. */
  readonly settled: boolean
}

/** What may happen to an upload next. */
type Step =
  | { readonly do: 'append', readonly size: number, readonly checksum: 'none' | 'right' | 'wrong' }
  | { readonly do: 'cut' | 'crash' } & Broken
  | { readonly do: 'repeat' }
  | { readonly do: 'misplace', readonly by: number, readonly size: number }
  | { readonly do: 'race', readonly sizes: readonly [number, number] }

/** The life of one upload. */
export interface Program {
  /** What its bytes are. */
  readonly seed: number
  /** Whether the length is told at the beginning, or with the last piece. */
  readonly announced: boolean
  readonly steps: readonly Step[]
  /** Bytes of the last piece, at least. */
  readonly rest: number
}

const sizes = fc.oneof(fc.constantFrom(0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK), fc.nat(3 * CHUNK))
const someBytes = sizes.map((size) => Math.max(1, size))
const broken = fc.record({ size: someBytes, sent: sizes, checksum: fc.boolean(), settled: fc.boolean() })
  .map((piece) => ({ ...piece, sent: Math.min(piece.sent, piece.size - 1) }))

const append = fc.record({ do: fc.constant('append' as const), size: sizes, checksum: fc.constantFrom('none' as const, 'right' as const, 'wrong' as const) })
const cut = broken.map((piece) => ({ do: 'cut' as const, ...piece }))
const crash = broken.map((piece) => ({ do: 'crash' as const, ...piece }))
const repeat = fc.constant({ do: 'repeat' as const })
const misplace = fc.record({ do: fc.constant('misplace' as const), by: fc.integer({ min: -2 * CHUNK, max: CHUNK }), size: sizes })
const race = fc.record({ do: fc.constant('race' as const), sizes: fc.tuple(someBytes, someBytes) })

export const programs: fc.Arbitrary<Program> = fc.record({
  seed: fc.noShrink(fc.nat()),
  announced: fc.boolean(),
  steps: fc.array<Step>(fc.oneof(
    { weight: 4, arbitrary: append },
    { weight: 3, arbitrary: cut },
    { weight: 1, arbitrary: crash },
    { weight: 1, arbitrary: repeat },
    { weight: 1, arbitrary: misplace },
    { weight: 2, arbitrary: race }
  ), { minLength: 1, maxLength: 10 }),
  rest: someBytes
})

/** What each test runs at least: crashes behind a whole chunk, within the first one, and in a piece that has a checksum. */
export const EXAMPLE: Program = {
  seed: 0,
  announced: true,
  steps: [
    { do: 'append', size: CHUNK + 1, checksum: 'right' },
    { do: 'crash', size: 3 * CHUNK, sent: 2 * CHUNK + 5, checksum: false, settled: true },
    { do: 'race', sizes: [2 * CHUNK, 2 * CHUNK] },
    { do: 'cut', size: 3 * CHUNK, sent: 2 * CHUNK, checksum: false, settled: true },
    { do: 'crash', size: 3 * CHUNK, sent: 2 * CHUNK + 7, checksum: true, settled: true },
    { do: 'repeat' }
  ],
  rest: CHUNK
}

/** What may have become of a piece: at least and at most so many bytes of it were kept. */
interface Outcome {
  readonly piece: Uint8Array<ArrayBuffer>
  readonly least: number
  readonly most: number
}

const NOTHING: Outcome = { piece: new Uint8Array(), least: 0, most: 0 }
const all = (piece: Uint8Array<ArrayBuffer>): Outcome => ({ piece, least: piece.length, most: piece.length })

/** Runs a program; throws where the server did not keep what it had promised. */
export async function runProgram (place: Place, { seed, announced, steps, rest }: Program): Promise<void> {
  const length = steps.reduce((sum, step) => sum + mostOf(step), rest)
  const { session } = place
  const { id } = await beginUpload(session, session.token, announced ? { 'upload-length': String(length) } : { 'upload-defer-length': '1' })
  const upload = new TrackedUpload(place, id, new Noise(String(seed)))
  try {
    for (const step of steps) await upload.take(step)
    await upload.complete(announced ? length - upload.offset : rest)
  } finally {
    await call(`${place.session.url}/files/${id}`, { method: 'DELETE', token: session.token })
  }
}

function mostOf (step: Step): number {
  if (step.do === 'race') return Math.max(...step.sizes)
  return step.do === 'repeat' || step.do === 'misplace' ? 0 : step.size
}

/** An upload, and beside it what it must hold. */
class TrackedUpload {
  readonly #place: Place
  readonly #id: string
  readonly #noise: Noise
  readonly #kept: Array<Uint8Array<ArrayBuffer>> = []
  offset = 0

  constructor (place: Place, id: string, noise: Noise) {
    this.#place = place
    this.#id = id
    this.#noise = noise
  }

  /** Takes one step, and finds the upload where it must stand after it. */
  async take (step: Step): Promise<void> {
    const { piece, least, most } = await this.#do(step)
    const kept = await offsetOf(this.#url, this.#token) - this.offset
    assert.ok(kept >= least && kept <= most, `${kept} bytes were kept of ${piece.length}, not ${least} to ${most}`)
    this.#kept.push(piece.subarray(0, kept))
    this.offset += kept
  }

  /** Sends the last piece, and finds the same file on the other side. */
  async complete (rest: number): Promise<void> {
    const piece = this.#noise.take(rest)
    const answer = await this.#send(piece, this.offset, { 'upload-length': String(this.offset + rest) })
    assert.equal(answer, '204')
    const content = Buffer.concat([...this.#kept, piece])
    const { session } = this.#place
    const files = (await call(`${session.url}/files`, { token: session.token })).body['files'] as Array<Record<string, unknown>>
    const file = files.find(({ file_id: id }) => id === this.#id)
    assert.deepEqual([file?.['state'], file?.['size'], file?.['sha256']], ['ready', content.length, sha256(content)])
    const { bytes } = await download(`${session.url}/download/${this.#id}`, session.token)
    assert.ok(content.equals(bytes), 'the download is not what was sent')
  }

  async #do (step: Step): Promise<Outcome> {
    switch (step.do) {
      case 'append': return await this.#append(this.#noise.take(step.size), step.checksum)
      case 'cut':
      case 'crash': return await this.#break(this.#noise.take(step.size), step)
      case 'repeat': return await this.#repeat()
      case 'misplace': return await this.#misplace(this.#noise.take(step.size), Math.max(0, this.offset + step.by))
      case 'race': return await this.#race(step.sizes.map((size) => this.#noise.take(size)))
    }
  }

  async #append (piece: Uint8Array<ArrayBuffer>, checksum: 'none' | 'right' | 'wrong'): Promise<Outcome> {
    const digested = checksum === 'right' ? piece : new Uint8Array(piece.length + 1)
    const answer = await this.#send(piece, this.offset, checksum === 'none' ? {} : checksumOf(digested))
    assert.equal(answer, checksum === 'wrong' ? '460 PIECE_CHECKSUM_MISMATCH' : '204')
    return checksum === 'wrong' ? NOTHING : all(piece)
  }

  async #break (piece: Uint8Array<ArrayBuffer>, { do: how, sent, checksum, settled }: Broken & { readonly do: 'cut' | 'crash' }): Promise<Outcome> {
    // The server asks for the body when the upload is this request's: what comes after it finds it there.
    const { request } = openPiece(this.#url, this.#token, this.offset, { 'content-length': String(piece.length), expect: '100-continue', ...checksum ? checksumOf(piece) : {} })
    await once(request, 'continue')
    if (sent > 0) await new Promise((resolve) => { request.write(piece.subarray(0, sent), resolve) })
    // A chunk is whole only when one more byte has come.
    const whole = settled && !checksum ? Math.max(0, Math.floor((sent - 1) / CHUNK) * CHUNK) : 0
    await arrived(this.#place.session, this.#id, this.offset + whole)
    if (how === 'crash') await this.#place.crash()
    request.destroy()
    return { piece, least: whole, most: checksum ? 0 : sent }
  }

  async #repeat (): Promise<Outcome> {
    const last = this.#kept.at(-1)
    if (last === undefined || last.length === 0) return NOTHING
    return await this.#misplace(last, this.offset - last.length)
  }

  async #misplace (piece: Uint8Array<ArrayBuffer>, at: number): Promise<Outcome> {
    assert.equal(await this.#send(piece, at === this.offset ? at + 1 : at), '409 UPLOAD_OFFSET_MISMATCH')
    return NOTHING
  }

  async #race (pieces: Array<Uint8Array<ArrayBuffer>>): Promise<Outcome> {
    const racers = await Promise.all(pieces.map(async (piece) => ({ piece, answer: await this.#send(piece, this.offset) })))
    const answers = racers.map(({ answer }) => answer)
    const [winner, ...others] = racers.filter(({ answer }) => answer === '204')
    assert.deepEqual(others, [], 'both were taken')
    if (winner !== undefined) {
      assert.ok(answers.some((answer) => answer === '409 UPLOAD_OFFSET_MISMATCH' || answer === '423 UPLOAD_LOCKED'), answers.join())
      return all(winner.piece)
    }
    // On a machine that hardly moves, the second one takes over from the first: what that one had sent stays.
    const interrupted = racers.find(({ answer }) => answer === '423 UPLOAD_LOCKED')
    assert.ok(interrupted !== undefined && answers.includes('409 UPLOAD_OFFSET_MISMATCH'), answers.join())
    return { piece: interrupted.piece, least: 1, most: interrupted.piece.length }
  }

  async #send (piece: Uint8Array<ArrayBuffer>, at: number, headers: Record<string, string> = {}): Promise<string> {
    return (await sendPiece(this.#url, this.#token, at, piece, headers)).summary
  }

  get #url (): string {
    return `${this.#place.session.url}/uploads/${this.#id}`
  }

  get #token (): string {
    return this.#place.session.token
  }
}

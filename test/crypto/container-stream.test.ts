import t from 'tap'
import { setImmediate } from 'node:timers/promises'
import { concat, equalBytes, fromHex, toHex, type Bytes } from '../../lib/crypto/bytes.js'
import { chunkSpan, containerSize, openContainer, openRange, openStream, plaintextSize, sealStream, type ChunkSpan } from '../../lib/crypto/container.js'
import { sha256 } from '../../lib/crypto/keys.js'
import localSend from '../vectors/local-send-1.json' with { type: 'json' }
import { collect, fileId, flipped, inPieces, pattern, watched, writer } from './fixtures/helpers.js'

const S = 2 ** 16
const SEALED = S + 16
const id = fileId('00112233445566778899aabbccddeeff')
const contentKey = pattern(32)
const writing = { contentKey, fileId: id, writer: 'A', chunkLog2: 16 } as const
const reading = { contentKey, fileId: id, writers: 'A' } as const
const damaged = { code: 'CONTAINER_DAMAGED' }

const seal = (plaintext: Uint8Array) => collect(sealStream(inPieces(plaintext), writing))
const open = (container: Uint8Array, step = Infinity) => collect(openStream(inPieces(container, step), reading))

for (const vector of localSend.containers) {
  const { plaintextSize: len, part, chunkLog2 } = vector
  const known = { contentKey: fromHex(vector.contentKey), fileId: fileId(vector.fileId), part }
  for (const step of [Infinity, 2 ** chunkLog2, 1000, 1]) {
    t.test(`local-send/1 container, len=${len},step=${step}`, async (t) => {
      const options = { ...known, writer: writer(vector.writer), chunkLog2, salt: fromHex(vector.salt) }
      const container = await collect(sealStream(inPieces(pattern(len), step), options))
      t.equal(toHex(container.subarray(0, 92)), vector.header, 'header')
      t.equal(container.length, vector.containerSize, 'containerSize')
      t.equal(containerSize(len, chunkLog2), vector.containerSize)
      t.equal(plaintextSize(vector.containerSize, chunkLog2), len)
      t.equal(toHex(container.subarray(-16)), vector.lastTag, 'lastTag')
      t.equal(toHex(await sha256(container)), vector.containerSha256, 'containerSha256')
      if (vector.container !== undefined) t.equal(toHex(container), vector.container, 'container')
      const opened = await collect(openStream(inPieces(container, step), { ...known, writers: writer(vector.writer) }))
      t.equal(equalBytes(opened, pattern(len)), true, 'plaintext')
    })
  }
}

for (const len of [0, 1, S - 1, S, S + 1, 2 * S - 1, 2 * S, 2 * S + 1, 9 * S + 3]) {
  for (const step of [999, S, SEALED, Infinity]) {
    t.test(`round trip, len=${len},step=${step}`, async (t) => {
      const container = await collect(sealStream(inPieces(pattern(len), step), writing))
      t.equal(container.length, containerSize(len, 16))
      t.equal(equalBytes(await open(container, step), pattern(len)), true)
    })
  }
}

/** A container of four chunks, the last one of 5 bytes, as its pieces. */
const whole = await seal(pattern(3 * S + 5))
const header = whole.subarray(0, 92)
const chunk = (i: number) => whole.subarray(92 + i * SEALED, 92 + (i + 1) * SEALED)
const [c0, c1, c2, c3] = [chunk(0), chunk(1), chunk(2), chunk(3)]
const other = await seal(pattern(3 * S + 5))

const manipulated: Array<[name: string, container: Bytes]> = [
  ['nothing', new Uint8Array()],
  ['half a header', header.subarray(0, 46)],
  ['the header alone', header],
  ['cut in the first chunk', whole.subarray(0, 1000)],
  ['cut in a tag', whole.subarray(0, 92 + SEALED - 1)],
  ['cut after the first chunk', concat(header, c0)],
  ['cut before the last chunk', concat(header, c0, c1, c2)],
  ['cut one byte before the end', whole.subarray(0, -1)],
  ['one byte more', concat(whole, Uint8Array.of(0))],
  ['a tag more', concat(whole, new Uint8Array(16))],
  ['the last chunk twice', concat(whole, c3)],
  ['the whole twice', concat(whole, whole)],
  ['two chunks swapped', concat(header, c1, c0, c2, c3)],
  ['a chunk missing', concat(header, c0, c2, c3)],
  ['a chunk twice', concat(header, c0, c1, c1, c2, c3)],
  ['the last chunk first', concat(header, c3, c0, c1, c2)],
  ['another container\'s chunk', concat(header, c0, other.subarray(92 + SEALED, 92 + 2 * SEALED), c2, c3)],
  ['another container\'s header', concat(other.subarray(0, 92), c0, c1, c2, c3)],
  ['a flipped bit in the first chunk', flipped(whole, 92)],
  ['a flipped bit in a tag', flipped(whole, 92 + SEALED - 1)],
  ['a flipped bit in the last tag', flipped(whole, -1)],
  ['a flipped bit in the header', flipped(whole, 40)]
]

t.test('manipulated containers', async (t) => {
  for (const [name, container] of manipulated) {
    for (const step of [Infinity, 1000]) await t.rejects(open(container, step), damaged, `${name}, step=${step}`)
  }
})

t.test('what comes before the damage is the plaintext, what comes after never shows', async (t) => {
  const seen: Uint8Array[] = []
  await t.rejects(async () => {
    for await (const piece of openStream(inPieces(concat(header, c0, flipped(c1, 5), c2, c3)), reading)) seen.push(piece)
  }, damaged)
  t.equal(equalBytes(concat(...seen), pattern(S)), true)
})

t.test('the container of another file, part, writer or key', async (t) => {
  const others = [{ ...reading, fileId: fileId('f'.repeat(32)) }, { ...reading, part: 1 }, { ...reading, writers: 'B' }, { ...reading, contentKey: flipped(contentKey, 31) }] as const
  for (const expected of others) await t.rejects(collect(openStream(inPieces(whole), expected)), damaged)
})

t.test('an empty file opens to nothing at all, and is verified', async (t) => {
  const container = await seal(new Uint8Array())
  const pieces: Uint8Array[] = []
  for await (const piece of openStream(inPieces(container), reading)) pieces.push(piece)
  t.same(pieces, [])
  await t.rejects(open(flipped(container, -1)), damaged)
})

const stops: Array<[name: string, stream: (source: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>, bytes: Bytes]> = [
  ['sealStream', (source) => sealStream(source, writing), pattern(9 * S)],
  ['openStream', (source) => openStream(source, reading), await seal(pattern(9 * S))]
]

for (const [name, stream, bytes] of stops) {
  t.test(`${name} closes its source when the reader stops`, async (t) => {
    for (const after of [1, 2, 4]) {
      const source = watched(bytes, 1000)
      let seen = 0
      for await (const piece of stream(source)) if (piece.length > 0 && ++seen === after) break
      t.equal(source.closed, 1, `after=${after}`)
    }
  })

  t.test(`${name} fails with its source`, async (t) => {
    for (const failAt of [0, 1, 50, 200]) await t.rejects(collect(stream(watched(bytes, 1000, failAt))), /the source failed/, `failAt=${failAt}`)
  })

  t.test(`${name} reads no further than a few chunks ahead`, async (t) => {
    const source = watched(bytes, S)
    const pieces = stream(source)[Symbol.asyncIterator]()
    await pieces.next()
    await setImmediate()
    t.equal(source.asked <= 5, true, `asked=${source.asked}`)
    await pieces.return?.()
  })
}

t.test('openStream closes its source when it refuses the container', async (t) => {
  for (const [name, container] of manipulated) {
    const source = watched(container, 1000)
    await t.rejects(collect(openStream(source, reading)), damaged)
    t.equal(source.closed, 1, name)
  }
})

t.test('a source that cannot be closed is read all the same', async (t) => {
  const source = watched(whole, 1000)
  const bare = { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) }
  const iterator = source[Symbol.asyncIterator]()
  t.equal(equalBytes(await collect(openStream(bare, reading)), pattern(3 * S + 5)), true)
})

t.test('sealStream does not touch its source when it refuses the options', async (t) => {
  const source = watched(pattern(1), 1)
  await t.rejects(collect(sealStream(source, { ...writing, chunkLog2: 3 })), RangeError)
  t.equal(source.asked, 0)
})

const opener = await openContainer(header, reading)
const P = 3 * S + 5
const ciphertext = ({ offset, length }: ChunkSpan) => whole.subarray(offset, offset + length)
const edges = [0, 1, S - 1, S, S + 1, 2 * S - 1, 2 * S, 2 * S + 1, 3 * S - 1, 3 * S, 3 * S + 1, P - 1, P]

t.test('ranges from every boundary to every boundary', async (t) => {
  for (const start of edges) {
    for (const end of edges.filter((edge) => edge > start)) {
      const span = chunkSpan(start, end, P, 16)
      const range = await collect(openRange(opener, inPieces(ciphertext(span), 40_000), span))
      t.equal(equalBytes(range, pattern(P).subarray(start, end)), true, `[${start}, ${end})`)
    }
  }
})

t.test('a range of a stream that ends early, goes on or is damaged', async (t) => {
  for (const [start, end] of [[0, 10], [S - 1, S + 1], [S, 2 * S], [3 * S, P], [0, P]] as const) {
    const span = chunkSpan(start, end, P, 16)
    const right = ciphertext(span)
    const wrong = [new Uint8Array(), right.subarray(0, -1), right.subarray(0, -17), right.subarray(0, -SEALED), concat(right, Uint8Array.of(0)), concat(right, c0), flipped(right, 0), flipped(right, -1), right.subarray(1)]
    for (const bytes of wrong) await t.rejects(collect(openRange(opener, inPieces(bytes), span)), damaged, `[${start}, ${end}) length=${bytes.length}`)
  }
})

t.test('a range by a size that is not the container\'s', async (t) => {
  for (const size of [P - 1, P + 1, 3 * S]) {
    const span = chunkSpan(2 * S, size, size, 16)
    await t.rejects(collect(openRange(opener, inPieces(ciphertext(span)), span)), damaged, `P=${size}`)
    const zeros = concat(ciphertext(span), pattern(1)).subarray(0, span.length)
    await t.rejects(collect(openRange(opener, inPieces(zeros), span)), damaged, `P=${size}, made to fit`)
  }
})

t.test('the range of an empty file is nothing, and is verified', async (t) => {
  const container = await seal(new Uint8Array())
  const span = chunkSpan(0, 0, 0, 16)
  const empty = await openContainer(container.subarray(0, 92), reading)
  t.equal((await collect(openRange(empty, inPieces(container.subarray(92)), span))).length, 0)
  await t.rejects(collect(openRange(empty, inPieces(flipped(container, -1).subarray(92)), span)), damaged)
})

t.test('a range closes its source when the reader stops', async (t) => {
  const span = chunkSpan(0, P, P, 16)
  const source = watched(ciphertext(span), 1000)
  for await (const piece of openRange(opener, source, span)) if (piece.length > 0) break
  t.equal(source.closed, 1)
})

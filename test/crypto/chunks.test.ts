import t from 'tap'
import { concat, equalBytes, toHex } from '../../lib/crypto/bytes.js'
import { cutChunks } from '../../lib/crypto/chunks.js'
import { inPieces, pattern, watched } from './fixtures/helpers.js'

const S = 16

/** Index, last flag and a copy of each chunk. */
const cut = async (source: AsyncIterable<Uint8Array>, size = S) => {
  const chunks: Array<[index: number, last: boolean, hex: string]> = []
  for await (const { index, last, bytes } of cutChunks(source, size)) chunks.push([index, last, toHex(bytes)])
  return chunks
}

/** What {@link cut} must give for these bytes, said in another way. */
const expected = (bytes: Uint8Array) => {
  const count = Math.max(1, Math.ceil(bytes.length / S))
  return Array.from({ length: count }, (_, i) => [i, i === count - 1, toHex(bytes.subarray(i * S, (i + 1) * S))])
}

for (const len of [0, 1, S - 1, S, S + 1, 2 * S - 1, 2 * S, 2 * S + 1, 5 * S]) {
  for (const step of [1, 3, S - 1, S, S + 1, 3 * S, 100 * S]) {
    t.test(`len=${len},step=${step}`, async (t) => {
      t.same(await cut(inPieces(pattern(len), step)), expected(pattern(len)))
    })
  }
}

t.test('empty pieces change nothing', async (t) => {
  const source = async function * () {
    yield new Uint8Array()
    yield await Promise.resolve(pattern(S))
    yield new Uint8Array()
  }
  t.same(await cut(source()), expected(pattern(S)))
})

t.test('all chunks share one buffer, and the pieces are left alone', async (t) => {
  const plaintext = pattern(3 * S + 1)
  const buffers = new Set<ArrayBuffer>()
  for await (const { bytes } of cutChunks(inPieces(plaintext), S)) {
    buffers.add(bytes.buffer)
    bytes.fill(0)
  }
  t.equal(buffers.size, 1)
  t.same(plaintext, pattern(3 * S + 1))
})

t.test('a full chunk waits for the byte after it, and for no more', async (t) => {
  const source = watched(pattern(3 * S), S)
  const chunks = cutChunks(source, S)
  t.equal(source.asked, 0)
  await chunks.next()
  t.equal(source.asked, 2)
  await chunks.next()
  t.equal(source.asked, 3)
  t.equal((await chunks.next()).value?.last, true)
  t.equal((await chunks.next()).done, true)
})

t.test('the source is closed when the reader stops early', async (t) => {
  const source = watched(pattern(5 * S), 4)
  for await (const { index } of cutChunks(source, S)) if (index === 1) break
  t.equal(source.closed, 1)
})

t.test('a failing source fails the reader, without a last chunk', async (t) => {
  const seen: boolean[] = []
  await t.rejects(async () => {
    for await (const { last } of cutChunks(watched(pattern(5 * S), S, 3), S)) seen.push(last)
  }, /the source failed/)
  t.same(seen, [false, false])
})

t.test('64 KiB, byte by byte', async (t) => {
  const chunks: Uint8Array[] = []
  for await (const { bytes } of cutChunks(inPieces(pattern(2 ** 16), 1), 2 ** 12)) chunks.push(concat(bytes))
  t.equal(chunks.length, 16)
  t.equal(equalBytes(concat(...chunks), pattern(2 ** 16)), true)
})

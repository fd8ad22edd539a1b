import t from 'tap'
import { CHUNK_LOG2, HEADER_SIZE, MAX_PLAINTEXT, TAG_SIZE, chunkCount, chunkSpan, containerSize, plaintextSize } from '../../lib/crypto/container.js'

const damaged = { code: 'CONTAINER_DAMAGED' }

t.test('the constants of section 5', (t) => {
  t.same([HEADER_SIZE, TAG_SIZE, CHUNK_LOG2, MAX_PLAINTEXT], [92, 16, 18, 1_099_511_627_776])
  t.end()
})

for (const chunkLog2 of [16, 18, 20]) {
  const S = 2 ** chunkLog2
  t.test(`sizes in both directions, chunkLog2=${chunkLog2}`, (t) => {
    const counts: Array<[P: number, count: number]> = [
      [0, 1], [1, 1], [S - 1, 1], [S, 1], [S + 1, 2], [2 * S - 1, 2], [2 * S, 2], [2 * S + 1, 3],
      [2 ** 32 - 1, 2 ** 32 / S], [2 ** 32, 2 ** 32 / S], [2 ** 32 + 1, 2 ** 32 / S + 1], [2 ** 40 - 1, 2 ** 40 / S], [2 ** 40, 2 ** 40 / S]
    ]
    for (const [P, count] of counts) {
      t.equal(chunkCount(P, chunkLog2), count, `count of P=${P}`)
      t.equal(containerSize(P, chunkLog2), 92 + P + 16 * count, `container of P=${P}`)
      t.equal(plaintextSize(92 + P + 16 * count, chunkLog2), P, `plaintext of P=${P}`)
    }
    t.end()
  })

  t.test(`sizes that no container has, chunkLog2=${chunkLog2}`, (t) => {
    for (const size of [-1, 0, 91, 92, 93, 107, 108.5, NaN, Infinity, 2 ** 53]) t.throws(() => plaintextSize(size, chunkLog2), damaged, `${size}`)
    const full = 92 + S + 16
    for (let beyond = 1; beyond <= 16; beyond++) {
      t.throws(() => plaintextSize(full + beyond, chunkLog2), damaged, 'a second chunk of no byte')
      t.throws(() => plaintextSize(full + S + 16 + beyond, chunkLog2), damaged, 'a third chunk of no byte')
    }
    t.equal(plaintextSize(full + 17, chunkLog2), S + 1)
    t.throws(() => plaintextSize(containerSize(2 ** 40, chunkLog2) + 17, chunkLog2), damaged, 'beyond 2^40')
    t.end()
  })

  t.test(`ranges, chunkLog2=${chunkLog2}`, (t) => {
    const sealed = S + 16
    const P = 3 * S + 5
    const spans = [
      [0, 1, { first: 0, last: 0, offset: 92, length: sealed, skip: 0, size: 1 }],
      [0, S, { first: 0, last: 0, offset: 92, length: sealed, skip: 0, size: S }],
      [0, S + 1, { first: 0, last: 1, offset: 92, length: 2 * sealed, skip: 0, size: S + 1 }],
      [S - 1, S + 1, { first: 0, last: 1, offset: 92, length: 2 * sealed, skip: S - 1, size: 2 }],
      [S, 2 * S, { first: 1, last: 1, offset: 92 + sealed, length: sealed, skip: 0, size: S }],
      [2 * S + 7, 3 * S, { first: 2, last: 2, offset: 92 + 2 * sealed, length: sealed, skip: 7, size: S - 7 }],
      [3 * S, 3 * S + 1, { first: 3, last: 3, offset: 92 + 3 * sealed, length: 21, skip: 0, size: 1 }],
      [3 * S + 4, P, { first: 3, last: 3, offset: 92 + 3 * sealed, length: 21, skip: 4, size: 1 }],
      [0, P, { first: 0, last: 3, offset: 92, length: 3 * sealed + 21, skip: 0, size: P }]
    ] as const
    for (const [start, end, span] of spans) t.same(chunkSpan(start, end, P, chunkLog2), { ...span, count: 4 }, `[${start}, ${end})`)
    t.same(chunkSpan(0, 0, 0, chunkLog2), { first: 0, last: 0, count: 1, offset: 92, length: 16, skip: 0, size: 0 }, 'an empty file')
    t.end()
  })

  t.test(`ranges near 2^40, chunkLog2=${chunkLog2}`, (t) => {
    const count = 2 ** 40 / S
    t.same(chunkSpan(2 ** 40 - 1, 2 ** 40, 2 ** 40, chunkLog2), { first: count - 1, last: count - 1, count, offset: 92 + (count - 1) * (S + 16), length: S + 16, skip: S - 1, size: 1 })
    t.equal(chunkSpan(0, 2 ** 40, 2 ** 40, chunkLog2).length, 2 ** 40 + 16 * count)
    t.equal(chunkSpan(2 ** 32, 2 ** 32 + 1, 2 ** 40, chunkLog2).offset, 92 + 2 ** 32 / S * (S + 16))
    t.end()
  })
}

t.test('the default are chunks of 256 KiB', (t) => {
  const P = 2 ** 18 + 1
  t.equal(chunkCount(P), 2)
  t.equal(containerSize(P), 92 + P + 32)
  t.equal(plaintextSize(92 + P + 32), P)
  t.equal(chunkSpan(2 ** 18, P, P).first, 1)
  t.end()
})

t.test('what is no size or no range', (t) => {
  for (const P of [-1, 0.5, NaN, 2 ** 40 + 1]) {
    t.throws(() => chunkCount(P), RangeError, `${P}`)
    t.throws(() => containerSize(P), RangeError, `${P}`)
    t.throws(() => chunkSpan(0, 1, P), RangeError, `${P}`)
  }
  for (const [start, end, P] of [[0, 0, 5], [5, 5, 5], [3, 2, 5], [0, 6, 5], [5, 6, 5], [-1, 2, 5], [0.5, 2, 5], [0, 1.5, 5], [NaN, 2, 5], [0, NaN, 5], [0, 1, 0], [1, 0, 0], [-1, 0, 0]] as const) {
    t.throws(() => chunkSpan(start, end, P), RangeError, `[${start}, ${end}) of ${P}`)
  }
  t.end()
})

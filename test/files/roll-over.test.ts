import t from 'tap'
import { partLimit, Sections, UNLIMITED } from '../../lib/files/roll-over.js'

const MIB = 2 ** 20
const NO_CLOCK = Number.POSITIVE_INFINITY

async function * pieces (...sizes: number[]): AsyncGenerator<Uint8Array, void> {
  for (const size of sizes) yield await Promise.resolve(new Uint8Array(size))
}

async function sizesOf (sections: Sections, bytes: number, milliseconds = NO_CLOCK): Promise<number[]> {
  const sizes: number[] = []
  while (!sections.ended) {
    let size = 0
    for await (const piece of sections.next({ bytes, milliseconds })) size += piece.length
    sizes.push(size)
  }
  return sizes
}

t.test('a stream is cut behind the piece that reaches the limit', async (t) => {
  for (const [sizes, bytes, length, expected] of [
    [[3, 3, 3, 3], 5, undefined, [6, 6, 0]],
    // Where the length is known, the last byte ends no section of its own.
    [[3, 3, 3, 3], 5, 12, [6, 6]],
    [[3, 3, 3], 5, 9, [6, 3]],
    [[3], 5, undefined, [3]],
    [[], 5, undefined, [0]],
    [[10], 5, 10, [10]],
    [[3, 3, 3, 3], UNLIMITED.bytes, undefined, [12]]
  ] as const) {
    t.same(await sizesOf(new Sections(pieces(...sizes), length), bytes), expected, `${sizes.join('+')} at ${bytes}, length ${length ?? 'unknown'}`)
  }
  t.same(await sizesOf(new Sections(pieces(1, 1, 1), 3), 100, 0), [1, 1, 1], 'and where its time is over')
})

t.test('a stream that is no longer wanted is told', async (t) => {
  let ended = false
  async function * endless (): AsyncGenerator<Uint8Array, void> {
    try {
      for (;;) yield await Promise.resolve(new Uint8Array(1))
    } finally {
      ended = true
    }
  }
  const sections = new Sections(endless())
  for await (const piece of sections.next(UNLIMITED)) if (piece.length > 0) break
  t.notOk(ended, 'not by the end of a section')
  await sections.end()
  t.ok(ended)
})

t.test('10,000 parts hold more than the largest file', (t) => {
  t.same(partLimit(Number.POSITIVE_INFINITY, 3), UNLIMITED)
  t.equal(partLimit(32 * MIB, 999).bytes, 32 * MIB)
  t.equal(partLimit(32 * MIB, 1000).bytes, 64 * MIB)
  let sum = 0
  for (let part = 0; part < 10_000; part++) sum += partLimit(20 * MIB, part).bytes
  t.ok(sum > 2 ** 40)
  t.end()
})

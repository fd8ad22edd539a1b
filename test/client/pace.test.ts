import t from 'tap'
import { Pace } from '../../client/pace.js'

const MIB = 2 ** 20
const GIB = 2 ** 30

/** How an upload of so many bytes is cut, if a second brings so many. */
function cut (size: number, pace: Pace, speed: number): { readonly pieces: number, readonly largest: number } {
  let largest = 0
  let pieces = 0
  for (let at = 0; at < size; pieces++) {
    const piece = Math.min(size - at, pace.sizeAt(at))
    largest = Math.max(largest, piece)
    pace.sent(piece, piece * 1000 / speed)
    at += piece
  }
  return { pieces, largest }
}

t.test('no upload has too many pieces, or larger ones than it takes', (t) => {
  for (const speed of [1000, 300 * MIB]) {
    for (const size of [GIB, 100 * GIB, 2 ** 40]) {
      const known = cut(size, new Pace(size), speed)
      t.ok(known.pieces <= 5000, `size=${size},speed=${speed}: ${known.pieces} pieces`)
      t.ok(known.largest <= Math.max(32 * MIB, Math.ceil(size / 5000)))
      const unknown = cut(size, new Pace(null), speed)
      t.ok(unknown.pieces <= 8100, `size=unknown,speed=${speed}: ${unknown.pieces} pieces`)
      t.ok(unknown.largest <= Math.ceil(2 ** 41 / 8000))
    }
  }
  t.end()
})

t.test('pieces take about a second', (t) => {
  for (const [speed, size] of [[100 * MIB, 32 * MIB], [3 * MIB, 3 * MIB], [1000, MIB]] as const) {
    const pace = new Pace(GIB)
    pace.sent(4 * MIB, 4 * MIB * 1000 / speed)
    t.equal(pace.sizeAt(4 * MIB), size, `speed=${speed}`)
  }
  t.end()
})

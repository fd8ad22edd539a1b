import t from 'tap'
import { p256 as noble } from '@noble/curves/nist.js'
import { concat, fromHex, randomBytes, toHex, type Bytes } from '../../lib/crypto/bytes.js'
import { M, N, N_ORDER, P_FIELD, add, decodePoint, encodePoint, isInfinity, isScalar, multiply, multiplyBase, negate, randomScalar, reduceScalar } from '../../lib/crypto/p256.js'
import wycheproof from '../vectors/wycheproof-ecdh-secp256r1-ecpoint.json' with { type: 'json' }
import { randomOf } from './fixtures/helpers.js'

const order = noble.Point.Fn.ORDER
const field = noble.Point.Fp.ORDER
const scalarOf = (value: bigint): Bytes => fromHex(value.toString(16).padStart(64, '0'))
const valueOf = (scalar: Uint8Array) => BigInt(`0x${toHex(scalar)}`)
const pointHex = (point: ReturnType<typeof decodePoint>) => toHex(encodePoint(point))
const G = multiplyBase(scalarOf(1n))

t.test('wycheproof, points of ECDH', (t) => {
  for (const { tests } of wycheproof.testGroups) {
    for (const { tcId, comment, public: share, private: secret, shared, flags, result } of tests) {
      const name = `tcId=${tcId} ${result} ${comment}`
      const refused = result === 'invalid' || flags.includes('CompressedPoint')
      if (refused) t.throws(() => decodePoint(fromHex(share)), { code: 'SHARE_REFUSED' }, name)
      else t.equal(pointHex(multiply(decodePoint(fromHex(share)), scalarOf(BigInt(`0x${secret}`)))).slice(2, 66), shared, name)
    }
  }
  t.equal(wycheproof.testGroups.flatMap(({ tests }) => tests).length, 355)
  t.end()
})

t.test('the blinding points are those of RFC 9382 section 6, and lie on the curve', (t) => {
  t.equal(pointHex(M), noble.Point.fromHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f').toHex(false))
  t.equal(pointHex(N), noble.Point.fromHex('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49').toHex(false))
  for (const point of [M, N]) t.equal(pointHex(decodePoint(encodePoint(point))), pointHex(point))
  t.end()
})

t.test('random points and scalars, against noble-curves', (t) => {
  for (let round = 0; round < 20; round++) {
    const [a, b] = [randomScalar(), randomScalar()]
    const [theirs, other] = [noble.Point.BASE.multiply(valueOf(a)), noble.Point.BASE.multiply(valueOf(b))]
    const [ours, ourOther] = [multiplyBase(a), multiplyBase(b)]
    const name = `a=${toHex(a)} b=${toHex(b)}`
    t.equal(pointHex(ours), theirs.toHex(false), name)
    t.equal(pointHex(add(ours, ourOther)), theirs.add(other).toHex(false), name)
    t.equal(pointHex(negate(ours)), theirs.negate().toHex(false), name)
    t.equal(pointHex(multiply(decodePoint(fromHex(theirs.toHex(false))), b)), theirs.multiply(valueOf(b)).toHex(false), name)
  }
  t.end()
})

t.test('scalars with long runs, against noble-curves', (t) => {
  for (const value of [1n, 2n, 3n, 15n, 16n, 2n ** 128n, 2n ** 255n, 2n ** 255n + 1n, order / 2n, order / 2n + 1n, order - 2n, order - 1n]) {
    t.equal(pointHex(multiplyBase(scalarOf(value))), noble.Point.BASE.multiply(value).toHex(false), `k=${value}`)
    t.equal(pointHex(multiply(M, scalarOf(value))), noble.Point.fromHex(pointHex(M)).multiply(value).toHex(false), `k=${value}`)
  }
  t.end()
})

t.test('the split of a scalar does not change the product', (t) => {
  const k = 2n ** 200n + 12345n
  const half = k * ((order + 1n) / 2n) % order
  for (const [name, a] of [['a = 1', 1n], ['a = n - 1', order - 1n], ['the rest is zero', k], ['both summands are the same', half], ['the rest is one', k - 1n]] as const) {
    t.equal(pointHex(multiply(N, scalarOf(k), randomOf(scalarOf(a)))), noble.Point.fromHex(pointHex(N)).multiply(k).toHex(false), name)
  }
  t.throws(() => multiply(N, scalarOf(k), randomOf()), /asked for 32/, 'no multiplication without a random summand')
  t.end()
})

t.test('what elliptic multiplies by is the two summands, never the scalar', (t) => {
  const [k, a] = [2n ** 200n + 12345n, order - 99n]
  const point = decodePoint(encodePoint(M))
  const factors: string[] = []
  const mul = point.mul.bind(point)
  point.mul = (factor) => {
    factors.push(factor.toString(16))
    return mul(factor)
  }
  multiply(point, scalarOf(k), randomOf(scalarOf(a)))
  t.same(factors, [a.toString(16), ((k - a + order) % order).toString(16)])
  t.end()
})

t.test('infinity is seen wherever it comes from, and has no encoding', (t) => {
  const infinity = add(M, negate(M))
  t.equal(isInfinity(infinity), true)
  t.equal(isInfinity(multiply(M, N_ORDER)), true)
  t.equal(isInfinity(multiply(M, scalarOf(0n))), true)
  t.equal(isInfinity(multiply(infinity, scalarOf(5n))), true)
  t.equal(isInfinity(negate(infinity)), true)
  t.equal(isInfinity(M), false)
  t.equal(pointHex(add(M, infinity)), pointHex(M))
  t.equal(pointHex(add(infinity, M)), pointHex(M))
  t.equal(pointHex(add(M, M)), pointHex(multiply(M, scalarOf(2n))))
  t.throws(() => encodePoint(infinity), RangeError)
  t.end()
})

const good = encodePoint(G)
const [x, y] = [good.slice(1, 33), good.slice(33)]
const odd = (y[31] ?? 0) % 2

/** A point whose x is small enough that x + p still fits into 32 bytes: what decoders that reduce would accept. */
const smallX = () => {
  for (let value = 0n; ; value++) {
    try {
      return noble.Point.fromHex(`02${value.toString(16).padStart(64, '0')}`).toAffine()
    } catch {
      // No point has this x.
    }
  }
}
const small = smallX()
/** The point with y = 5, one of the few so small that y + p still fits into 32 bytes. */
const low = { x: BigInt('0xd7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7'), y: 5n }

const encodings: Array<[name: string, share: Uint8Array]> = [
  ['empty', new Uint8Array()],
  ['infinity, SEC 1', Uint8Array.of(0)],
  ['infinity, 65 zeros', new Uint8Array(65)],
  ['04 and zeros', concat(Uint8Array.of(4), new Uint8Array(64))],
  ['compressed', concat(Uint8Array.of(2 + odd), x)],
  ['hybrid of the right parity', concat(Uint8Array.of(6 + odd), x, y)],
  ['hybrid of the wrong parity', concat(Uint8Array.of(7 - odd), x, y)],
  ['prefix 00', concat(Uint8Array.of(0), x, y)],
  ['prefix 02', concat(Uint8Array.of(2), x, y)],
  ['prefix 05', concat(Uint8Array.of(5), x, y)],
  ['without prefix', concat(x, y)],
  ['a byte short', good.subarray(0, 64)],
  ['a byte long', concat(good, Uint8Array.of(0))],
  ['a zero before', concat(Uint8Array.of(0), good)],
  ['twice', concat(good, good)],
  ['off the curve, y + 1', concat(Uint8Array.of(4), x, scalarOf(valueOf(y) + 1n))],
  ['off the curve, x and y swapped', concat(Uint8Array.of(4), y, x)],
  ['off the curve, y = 0', concat(Uint8Array.of(4), x, new Uint8Array(32))],
  ['x = p', concat(Uint8Array.of(4), P_FIELD, y)],
  ['y = p', concat(Uint8Array.of(4), x, P_FIELD)],
  ['x + p of a point', concat(Uint8Array.of(4), scalarOf(small.x + field), scalarOf(small.y))],
  ['y + p of a point', concat(Uint8Array.of(4), scalarOf(low.x), scalarOf(low.y + field))],
  ['all ones', concat(Uint8Array.of(4), new Uint8Array(64).fill(0xff))]
]

t.test('encodings that are refused', (t) => {
  for (const [name, share] of encodings) t.throws(() => decodePoint(share), { code: 'SHARE_REFUSED' }, name)
  t.end()
})

t.test('what is not bytes at all is refused', (t) => {
  for (const share of [null, undefined, 4, 'x'.repeat(65), Array.from(good), toHex(good), { length: 65, 0: 4 }, new DataView(good.buffer)]) {
    t.throws(() => { Reflect.apply(decodePoint, undefined, [share]) }, { code: 'SHARE_REFUSED' })
  }
  t.end()
})

t.test('the points that the refused encodings were made from are accepted', (t) => {
  t.equal(pointHex(decodePoint(good)), toHex(good))
  t.equal(pointHex(decodePoint(concat(Uint8Array.of(4), scalarOf(small.x), scalarOf(small.y)))).slice(2, 66), toHex(scalarOf(small.x)))
  t.equal(pointHex(decodePoint(concat(Uint8Array.of(4), scalarOf(low.x), scalarOf(low.y)))).slice(66), toHex(scalarOf(low.y)))
  t.equal(pointHex(decodePoint(concat(Uint8Array.of(4), x, scalarOf(field - valueOf(y))))), pointHex(negate(G)))
  t.end()
})

t.test('random scalars are drawn again until they lie in [1, n)', (t) => {
  const [zero, n, all, best] = [scalarOf(0n), N_ORDER, new Uint8Array(32).fill(0xff), scalarOf(order - 1n)]
  t.equal(toHex(randomScalar(randomOf(zero, n, all, scalarOf(order + 1n), best))), toHex(best))
  t.equal(toHex(randomScalar(randomOf(scalarOf(1n)))), toHex(scalarOf(1n)))
  t.throws(() => randomScalar(randomOf(zero)), /asked for 32/)
  t.throws(() => randomScalar(() => randomBytes(31)), RangeError)
  t.end()
})

t.test('scalars', (t) => {
  t.equal(toHex(N_ORDER), toHex(scalarOf(order)))
  t.equal(toHex(P_FIELD), toHex(scalarOf(field)))
  for (const [value, expected] of [[0n, false], [1n, true], [order - 1n, true], [order, false], [order + 1n, false]] as const) t.equal(isScalar(scalarOf(value)), expected, `${value}`)
  t.equal(isScalar(new Uint8Array(31).fill(1)), false)
  t.equal(isScalar(new Uint8Array(33).fill(1)), false)
  t.end()
})

t.test('48 bytes are reduced modulo n, against BigInt', (t) => {
  for (let round = 0; round < 50; round++) {
    const wide = randomBytes(48)
    t.equal(toHex(reduceScalar(wide)), toHex(scalarOf(valueOf(wide) % order)), toHex(wide))
  }
  t.equal(toHex(reduceScalar(fromHex('ff'.repeat(48)))), toHex(scalarOf((2n ** 384n - 1n) % order)))
  t.equal(toHex(reduceScalar(concat(new Uint8Array(47), Uint8Array.of(7)))), toHex(scalarOf(7n)), 'short ones keep their leading zeros')
  t.throws(() => reduceScalar(new Uint8Array(48)), RangeError)
  t.throws(() => reduceScalar(concat(new Uint8Array(16), N_ORDER)), RangeError)
  t.end()
})

/**
 * The group of SPAKE2: NIST P-256 (FIPS 186-5 and SP 800-186, https://csrc.nist.gov/pubs/sp/800/186/final), as far as
 * protocol local-send/1, section 3 needs it. The only importer of `elliptic`.
 *
 * Invariant: no `Point` gets in from outside except through {@link decodePoint}, which checks everything that elliptic 6.6.1
 * does not (it accepts points off the curve, silently reduces coordinates, takes hybrid prefixes), and no number reaches
 * elliptic's `mul` except its own BN, reduced to [0, n): of a negative number or a BigInt it silently makes a wrong product.
 *
 *     point  = 04 ‖ x(32) ‖ y(32)      big-endian, x, y < p, on the curve, never infinity (SEC 1 section 2.3.3, uncompressed)
 *     scalar = 32 bytes, big-endian
 *
 * elliptic is not constant-time. Every multiplication here is by a secret and split additively (section 3): that reduces what
 * the time tells and does not remove it.
 */

import elliptic from 'elliptic'
import { LocalSendError } from '../errors.js'
import { fromHex, randomBytes, toHex, type Bytes, type RandomSource } from './bytes.js'

/** A point of the curve, or infinity. Opaque: only the functions of this module look into it. */
export type Point = elliptic.curve.base.BasePoint

/** Bytes of an encoded point. */
export const POINT_SIZE = 65
/** Bytes of a scalar. */
export const SCALAR_SIZE = 32
/** p, the order of the field. */
export const P_FIELD = fromHex('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff')
/** n, the order of the group; its cofactor is 1. */
export const N_ORDER = fromHex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551')

const UNCOMPRESSED = 0x04
const BITS_OF_N = 256

const { curve: { short: ShortCurve } } = elliptic
/** The domain parameters (SP 800-186, section 3.2.1.3). elliptic has them too, and checks n · G whenever a process asks for them: 0.1 s. Here a test does. */
const curve = new ShortCurve({
  p: toHex(P_FIELD),
  a: 'ffffffff00000001000000000000000000000000fffffffffffffffffffffffc',
  b: '5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
  n: toHex(N_ORDER),
  g: ['6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296', '4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5']
})
/** The class of elliptic's numbers, which it does not export. */
const { constructor: BigNumber } = curve.n

/** A number of elliptic's own, reduced modulo n. */
const number = (bytes: Bytes) => new BigNumber(bytes).umod(curve.n)

const G: Point = curve.g

/** RFC 9382 section 6 (https://www.rfc-editor.org/rfc/rfc9382#section-6), P-256: the joiner's blinding point. */
export const M: Point = curve.decodePoint('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f', 'hex')
/** RFC 9382 section 6, P-256: the responder's blinding point. */
export const N: Point = curve.decodePoint('03d8bbd6c639c62937b04d997f38c3770719c629d7014d49a24b4f98baa1292b49', 'hex')

/**
 * a < b for big-endian numbers of the same length. Not constant-time: of a secret scalar it tells how many leading digits are
 * those of n, which for a random one is as good as nothing.
 */
const isBelow = (a: Uint8Array, b: Uint8Array): boolean => toHex(a) < toHex(b)

/**
 * The point of a received share.
 *
 * @throws SHARE_REFUSED unless it is 65 bytes, 04 first, both coordinates below p, and on the curve (section 3)
 */
export const decodePoint = (share: Uint8Array): Point => {
  if (!(share instanceof Uint8Array) || share.length !== POINT_SIZE || share[0] !== UNCOMPRESSED) throw new LocalSendError('SHARE_REFUSED')
  if (!isBelow(share.subarray(1, 33), P_FIELD) || !isBelow(share.subarray(33), P_FIELD)) throw new LocalSendError('SHARE_REFUSED')
  const point = curve.decodePoint(toHex(share), 'hex')
  if (!point.validate()) throw new LocalSendError('SHARE_REFUSED')
  return point
}

/**
 * The 65 bytes of a point.
 *
 * @throws RangeError for infinity, which has no such encoding
 */
export const encodePoint = (point: Point): Bytes => {
  if (point.isInfinity()) throw new RangeError('The point at infinity has no uncompressed encoding.')
  return fromHex(point.encode('hex', false))
}

/** Whether the point is the neutral element. */
export const isInfinity = (point: Point): boolean => point.isInfinity()

/** a + b, for any two points. */
export const add = (a: Point, b: Point): Point => a.add(b)

/** −point. */
export const negate = (point: Point): Point => point.neg()

/** A secret scalar, 32 bytes, uniform in [1, n), by rejection sampling (section 3). */
export const randomScalar = (random?: RandomSource): Bytes => {
  for (;;) {
    const candidate = randomBytes(SCALAR_SIZE, random)
    if (isScalar(candidate)) return candidate
  }
}

/** Whether the bytes are a scalar in [1, n). */
export const isScalar = (bytes: Uint8Array): boolean =>
  bytes.length === SCALAR_SIZE && isBelow(bytes, N_ORDER) && bytes.some((byte) => byte !== 0)

/**
 * OS2IP(bytes) mod n, 32 bytes big-endian (section 2).
 *
 * @throws RangeError if that is zero, which happens to nobody by chance
 */
export const reduceScalar = (bytes: Bytes): Bytes => {
  const reduced = number(bytes)
  if (reduced.isZero()) throw new RangeError('This scalar is zero modulo n.')
  return Uint8Array.from(reduced.toArray('be', SCALAR_SIZE))
}

/**
 * scalar · point, the secret scalar split additively, k = a + (k − a) mod n with a random a, and the products added (section 3):
 * the bits that elliptic walks are not the scalar's.
 */
export const multiply = (point: Point, scalar: Bytes, random?: RandomSource): Point => {
  const a = number(randomScalar(random))
  const rest = number(scalar).sub(a).umod(curve.n)
  return point.mul(a).add(point.mul(rest))
}

/** scalar · P, P being the generator of the group. */
export const multiplyBase = (scalar: Bytes): Point => multiply(G, scalar)

/**
 * Makes {@link multiplyBase} three times as fast from now on. It takes as long as eight calls do without: worth it for a server, not
 * for a process that joins once.
 */
export const prepareBase = (): void => { G.precompute(BITS_OF_N + 1) }

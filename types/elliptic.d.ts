/**
 * The part of `elliptic` 6.6.1 that p256.ts uses. It stands here in place of @types/elliptic, whose bn.js types pull in all of
 * Node's: with those loaded, `Buffer` and `process` would compile in lib/crypto.
 */

declare module 'elliptic' {
  interface BN {
    sub (other: BN): BN
    umod (modulus: BN): BN
    isZero (): boolean
    toArray (endian: 'be', length: number): number[]
    toString (base: number): string
  }

  interface Point {
    readonly curve: { readonly n: BN, decodePoint (bytes: string, encoding: 'hex'): Point }
    add (other: Point): Point
    mul (factor: BN): Point
    neg (): Point
    isInfinity (): boolean
    validate (): boolean
    encode (encoding: 'hex', compact: boolean): string
    encodeCompressed (encoding: 'hex'): string
  }

  interface EllipticCurve {
    keyFromPrivate (bytes: Uint8Array | number[]): { getPrivate (): BN, getPublic (): Point }
  }

  const elliptic: { readonly ec: new (name: 'p256') => EllipticCurve }
  namespace elliptic.curve.base { export type BasePoint = Point }
  export default elliptic
}

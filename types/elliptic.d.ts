/**
 * The part of `elliptic` 6.6.1 that p256.ts uses. It stands here in place of @types/elliptic, whose bn.js types pull in all of
 * Node's: with those loaded, `Buffer` and `process` would compile in lib/crypto.
 */

declare module 'elliptic' {
  interface BN {
    readonly constructor: new (bigEndian: Uint8Array) => BN
    sub (other: BN): BN
    umod (modulus: BN): BN
    isZero (): boolean
    toArray (endian: 'be', length: number): number[]
    toString (base: number): string
  }

  interface Point {
    add (other: Point): Point
    mul (factor: BN): Point
    neg (): Point
    isInfinity (): boolean
    validate (): boolean
    encode (encoding: 'hex', compact: boolean): string
    encodeCompressed (encoding: 'hex'): string
    /** @param power - bits of the factors to come */
    precompute (power: number): void
  }

  interface ShortCurve {
    readonly n: BN
    readonly g: Point
    decodePoint (bytes: string, encoding: 'hex'): Point
  }

  /** Numbers in hexadecimal. */
  interface ShortCurveParameters {
    readonly p: string
    readonly a: string
    readonly b: string
    readonly n: string
    readonly g: readonly [x: string, y: string]
  }

  const elliptic: {
    readonly curve: { readonly short: new (parameters: ShortCurveParameters) => ShortCurve }
  }
  namespace elliptic.curve.base { export type BasePoint = Point }
  export default elliptic
}

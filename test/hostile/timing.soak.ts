import t from 'tap'
import { equalBytes, equalSecrets, randomBytes, toHex, type Bytes } from '../../lib/crypto/bytes.js'
import { M, multiply, randomScalar, reduceScalar } from '../../lib/crypto/p256.js'
import { confirmationMatches } from '../../lib/crypto/spake2.js'
import { codesMatch, findHolder, newVerificationCode } from '../../lib/sessions/tokens.js'
import { findLeak, type Prepare } from './timing.js'

/** Measurements of a round, in thousands. */
const { TIMING_THOUSANDS: thousands = '20' } = process.env
const COUNT = Number(thousands) * 1000

const secret = randomBytes(32)

/** The secret but for its last byte: whoever stops at the first difference takes longest for it. */
const almost = (): Bytes => secret.map((byte, i) => i === 31 ? byte ^ 1 : byte)
/** A comparison of 32 bytes, with what is almost right or wrong from the first byte on. */
const comparing = (compare: (expected: Bytes, given: Bytes) => unknown): Prepare => (isFixed) => {
  const given = isFixed ? almost() : randomBytes(32)
  return () => compare(secret, given)
}

/** What nobody should write: it stops at the first block that differs, though each block is compared as a secret. */
async function equalBlocks (a: Bytes, b: Bytes): Promise<boolean> {
  for (let i = 0; i < 32; i += 8) if (!await equalSecrets(a.slice(i, i + 8), b.slice(i, i + 8))) return false
  return true
}

const holders = Array.from({ length: 5 }, () => ({ tokenHash: toHex(randomBytes(32)) }))
const known = holders[2]?.tokenHash ?? ''
const code = newVerificationCode()

/** A scalar of almost no bits, and one of many. */
const scalarOf = (isFixed: boolean): Bytes => isFixed ? reduceScalar(Uint8Array.of(3)) : randomScalar()
/** Summand of the scalar: always the same, so that what elliptic walks is the scalar's own bits again. */
const ONE = reduceScalar(Uint8Array.of(1))

const LEAKY: Readonly<Record<string, readonly [prepare: Prepare, count: number]>> = {
  'bytes that are compared up to the first difference': [comparing(equalBytes), COUNT],
  'blocks that are compared up to the first difference': [comparing(equalBlocks), COUNT / 4],
  'a multiplication that is not split': [(isFixed) => {
    const scalar = scalarOf(isFixed)
    return () => multiply(M, scalar, () => ONE)
  }, COUNT / 20]
}

const SILENT: Readonly<Record<string, readonly [prepare: Prepare, count: number]>> = {
  'a comparison of secrets': [comparing(equalSecrets), COUNT],
  'a confirmation': [comparing(confirmationMatches), COUNT],
  'the hash of a token among those of a session': [(isFixed) => {
    const given = isFixed ? `${known.slice(0, -1)}${known.endsWith('0') ? '1' : '0'}` : toHex(randomBytes(32))
    return () => findHolder(given, holders)
  }, COUNT / 4],
  'a verification code': [(isFixed) => {
    const given = isFixed ? `${code.slice(0, -1)}${code.endsWith('0') ? '1' : '0'}` : newVerificationCode()
    return () => codesMatch(given, code)
  }, COUNT],
  'a multiplication by a secret scalar': [(isFixed) => {
    const scalar = scalarOf(isFixed)
    return () => multiply(M, scalar)
  }, COUNT / 10]
}

for (const [expected, operations] of [[true, LEAKY], [false, SILENT]] as const) {
  t.test(expected ? 'what leaks is seen to leak, or the rest would mean nothing' : 'what is secret is not seen to leak', async (t) => {
    for (const [name, [prepare, count]] of Object.entries(operations)) {
      const { t: values, isLeaky, visible } = await findLeak(prepare, count)
      t.equal(isLeaky, expected, `${name}: t = ${values.map((value) => value.toFixed(1)).join(', ')}; from ${Math.ceil(visible)} ns on it would be seen`)
    }
  })
}

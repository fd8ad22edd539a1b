import t from 'tap'
import { concat, equalBytes, equalSecrets, equalThroughout, fromBase64url, fromHex, randomBytes, toBase64url, toHex, u16, u32, utf8 } from '../../lib/crypto/bytes.js'
import { flipped, pattern, randomOf } from './fixtures/helpers.js'

t.test('concat copies all parts in a row', (t) => {
  const part = Uint8Array.of(1, 2)
  const joined = concat(part, new Uint8Array(), Uint8Array.of(3))
  part[0] = 9
  t.equal(toHex(joined), '010203')
  t.equal(concat().length, 0)
  t.end()
})

t.test('numbers are big-endian and must fit', (t) => {
  for (const [value, hex] of [[0, '0000'], [1, '0001'], [0x1234, '1234'], [0xffff, 'ffff']] as const) t.equal(toHex(u16(value)), hex)
  for (const [value, hex] of [[0, '00000000'], [600_000, '000927c0'], [0xfedcba98, 'fedcba98'], [0xffffffff, 'ffffffff']] as const) t.equal(toHex(u32(value)), hex)
  for (const value of [-1, 0.5, 0x10000, NaN]) t.throws(() => u16(value), RangeError)
  for (const value of [-1, 0.5, 2 ** 32, Infinity]) t.throws(() => u32(value), RangeError)
  t.end()
})

t.test('utf8', (t) => {
  t.equal(toHex(utf8('aé€😀\0')), '61c3a9e282acf09f988000')
  t.end()
})

t.test('hexadecimal is lowercase, even and nothing else', (t) => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i)
  t.same(fromHex(toHex(all)), all)
  t.same(fromHex(''), new Uint8Array())
  for (const text of ['0', '0A', 'AB', 'zz', '0x00', ' 00', '00 ', '00\n', '0 0', '٠٠', '+1', '-1']) t.throws(() => fromHex(text), RangeError, text)
  t.end()
})

t.test('base64url, RFC 4648 section 10 and its canonical form', (t) => {
  for (const [text, encoded] of [['', ''], ['f', 'Zg'], ['fo', 'Zm8'], ['foo', 'Zm9v'], ['foob', 'Zm9vYg'], ['fooba', 'Zm9vYmE'], ['foobar', 'Zm9vYmFy']] as const) {
    t.equal(toBase64url(utf8(text)), encoded)
    t.same(fromBase64url(encoded), utf8(text))
  }
  t.equal(toBase64url(Uint8Array.of(0xfb, 0xff, 0xbf)), '-_-_')
  t.same(fromBase64url('-_-_'), Uint8Array.of(0xfb, 0xff, 0xbf))
  for (const size of [1, 2, 3, 32, 60, 620, 4204]) t.same(fromBase64url(toBase64url(pattern(size))), pattern(size), `size=${size}`)
  t.end()
})

t.test('base64url refuses every other text', (t) => {
  for (const text of ['Zg==', 'Zg=', 'Z', 'Zm9vY', '+/+/', 'Zh', 'Zm9', 'Zg\n', ' Zg', 'Z g', 'Zé', 'Zm9v\0']) t.throws(() => fromBase64url(text), RangeError, JSON.stringify(text))
  t.end()
})

t.test('randomness', (t) => {
  t.equal(randomBytes(16).length, 16)
  t.equal(equalBytes(randomBytes(16), randomBytes(16)), false)
  t.same(randomBytes(3, randomOf(Uint8Array.of(1, 2, 3))), Uint8Array.of(1, 2, 3))
  t.throws(() => randomBytes(4, randomOf(Uint8Array.of(1, 2, 3))), /asked for 4/)
  t.throws(() => randomBytes(4, () => Uint8Array.of(1, 2, 3)), RangeError)
  t.end()
})

for (const [name, equal] of [['equalBytes', equalBytes], ['equalThroughout', equalThroughout], ['equalSecrets', equalSecrets]] as const) {
  t.test(`${name} sees every difference`, async (t) => {
    const secret = pattern(32)
    t.equal(await equal(secret, concat(secret)), true)
    t.equal(await equal(new Uint8Array(), new Uint8Array()), true)
    for (let i = 0; i < 32; i++) t.equal(await equal(secret, flipped(secret, i)), false, `byte=${i}`)
    t.equal(await equal(secret, secret.subarray(0, 31)), false)
    t.equal(await equal(secret.subarray(0, 31), secret), false)
    t.equal(await equal(secret, new Uint8Array()), false)
  })
}

t.test('equalSecrets compares under a key of its own each time', async (t) => {
  const original = crypto.subtle.generateKey.bind(crypto.subtle)
  let keys = 0
  Object.defineProperty(crypto.subtle, 'generateKey', { configurable: true, value: (...args: Parameters<typeof original>) => { keys++; return original(...args) } })
  t.teardown(() => Reflect.deleteProperty(crypto.subtle, 'generateKey'))
  await equalSecrets(pattern(1), pattern(1))
  await equalSecrets(pattern(1), pattern(1))
  t.equal(keys, 2)
})

t.test('equalSecrets looks at every byte of the MACs', async (t) => {
  const identity = (_algorithm: string, _key: unknown, data: Uint8Array) => Promise.resolve(concat(data).buffer)
  Object.defineProperty(crypto.subtle, 'sign', { configurable: true, value: identity })
  t.teardown(() => Reflect.deleteProperty(crypto.subtle, 'sign'))
  t.equal(await equalSecrets(pattern(32), pattern(32)), true)
  for (let i = 0; i < 32; i++) t.equal(await equalSecrets(pattern(32), flipped(pattern(32), i)), false, `byte=${i}`)
})

import t from 'tap'
import { concat, fromHex, toHex, utf8, type Bytes } from '../../lib/crypto/bytes.js'
import { WRAPPED_KEY_SIZE, hkdf, hmac, newContentKey, sha256, unwrapContentKey, verifier, wrapContentKey } from '../../lib/crypto/keys.js'
import { flipped, pattern, sessionId } from './fixtures/helpers.js'

const SK = pattern(32)
const sid = sessionId('0123abcd')

t.test('sha256, FIPS 180-4', async (t) => {
  t.equal(toHex(await sha256(utf8('abc'))), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})

t.test('hmac, RFC 4231 test case 2', async (t) => {
  t.equal(toHex(await hmac(utf8('Jefe'), utf8('what do ya want for nothing?'))), '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843')
})

t.test('hkdf, RFC 5869 test cases 1 and 3', async (t) => {
  const ikm = fromHex('0b'.repeat(22))
  t.equal(toHex(await hkdf(ikm, fromHex('000102030405060708090a0b0c'), fromHex('f0f1f2f3f4f5f6f7f8f9'), 42)), '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865')
  t.equal(toHex(await hkdf(ikm, new Uint8Array(), new Uint8Array(), 42)), '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8')
})

t.test('the verifier is four groups of four digits, without a space at either end', async (t) => {
  const text = await verifier(SK, sid)
  t.equal(text, text.match(/[0-9a-f]{4}/g)?.join(' '))
  t.equal(text.length, 19)
})

t.test('a content key comes back out of its wrapping', async (t) => {
  const contentKey = newContentKey()
  const wrapped = await wrapContentKey(SK, sid, contentKey)
  t.equal(wrapped.length, WRAPPED_KEY_SIZE)
  t.same(await unwrapContentKey(SK, sid, wrapped), contentKey)
  t.equal(toHex(await wrapContentKey(SK, sid, contentKey)) === toHex(wrapped), false, 'the nonce is random')
})

t.test('a wrapped key is refused if anything about it differs', async (t) => {
  const wrapped = await wrapContentKey(SK, sid, pattern(32))
  const refused = { code: 'WRAPPED_KEY_REFUSED' }
  for (let i = 0; i < wrapped.length; i++) await t.rejects(unwrapContentKey(SK, sid, flipped(wrapped, i)), refused, `byte=${i}`)
  await t.rejects(unwrapContentKey(flipped(SK, 0), sid, wrapped), refused, 'another session key')
  await t.rejects(unwrapContentKey(SK, sessionId('0123abce'), wrapped), refused, 'another session')
  await t.rejects(unwrapContentKey(SK, sid, wrapped.subarray(0, 59)), refused, 'short')
  await t.rejects(unwrapContentKey(SK, sid, concat(wrapped, Uint8Array.of(0))), refused, 'long')
  await t.rejects(unwrapContentKey(SK, sid, new Uint8Array()), refused, 'empty')
})

t.test('a wrapped key of another length is refused, even by someone who holds the session key', async (t) => {
  const key = await crypto.subtle.importKey('raw', await hkdf(SK, utf8(sid), utf8('local-send/1 wrap'), 32), 'AES-GCM', false, ['encrypt'])
  const wrap = async (content: Bytes) => concat(pattern(12), new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv: pattern(12), additionalData: utf8(`local-send/1 content key\0${sid}`) }, key, content)))
  t.same(await unwrapContentKey(SK, sid, await wrap(pattern(32))), pattern(32))
  for (const size of [0, 16, 31, 33, 64]) await t.rejects(unwrapContentKey(SK, sid, await wrap(pattern(size))), { code: 'WRAPPED_KEY_REFUSED' }, `size=${size}`)
})

t.test('nothing but 32 bytes under a nonce of 12 is wrapped', async (t) => {
  await t.rejects(wrapContentKey(SK, sid, pattern(31)), RangeError)
  await t.rejects(wrapContentKey(SK, sid, pattern(33)), RangeError)
  await t.rejects(wrapContentKey(SK, sid, pattern(32), pattern(11)), RangeError)
})

import { p256 as noble } from '@noble/curves/nist.js'
import fc from 'fast-check'
import t from 'tap'
import { formatCode, parseCode, parseCodeOrLink } from '../../../client/code.js'
import { isClientError } from '../../../client/errors.js'
import { equalBytes, fromBase64url, fromHex, toBase64url, toHex, utf8 } from '../../../lib/crypto/bytes.js'
import { unwrapContentKey, wrapContentKey } from '../../../lib/crypto/keys.js'
import { decodePoint, encodePoint, multiplyBase, reduceScalar } from '../../../lib/crypto/p256.js'
import { confirmationMatches, sharedPoint } from '../../../lib/crypto/spake2.js'
import { isLocalSendError } from '../../../lib/errors.js'
import { isFileId, isJoinId, isSessionId } from '../../../lib/ids.js'
import { newFileId, newJoinId, newSessionId } from '../../../lib/new-ids.js'
import { formatEventId, newEpoch, parseEventId } from '../../../lib/sessions/event-ids.js'
import { MemoryEventHub } from '../../../lib/sessions/memory-event-hub.js'
import { hashToken, newToken } from '../../../lib/sessions/tokens.js'
import { bytes, mutatedBytes, mutatedText, text } from './inputs.js'
import { holds, must, read } from './holds.js'

const isRange = (error: unknown): boolean => error instanceof RangeError
const isRefused = (error: unknown): boolean => isLocalSendError(error, 'SHARE_REFUSED')
const isCodeInvalid = (error: unknown): boolean => isClientError(error, 'CODE_INVALID')

for (const [name, encode, decode] of [['hex', toHex, fromHex], ['base64url', toBase64url, fromBase64url]] as const) {
  t.test(name, async (t) => {
    await holds(t, 'comes back', fc.property(bytes(), (plain) => { must(equalBytes(decode(encode(plain)), plain), 'other bytes') }))
    const given = fc.oneof(text(), mutatedText(bytes().map(encode)))
    await holds(t, 'has one text for the same bytes', fc.asyncProperty(given, async (encoded) => {
      const decoded = await read(() => decode(encoded), isRange)
      must(decoded === undefined || encode(decoded) === encoded, 'a second text')
    }))
  })
}

const points = bytes({ minLength: 32, maxLength: 32 }).filter((drawn) => drawn.some((byte) => byte !== 0)).map((drawn) => encodePoint(multiplyBase(reduceScalar(drawn))))

/** Whether another library takes it for an uncompressed point. */
const isPoint = (share: Uint8Array): boolean => {
  try {
    noble.Point.fromBytes(share).assertValidity()
    return share[0] === 4 && share.length === 65
  } catch {
    return false
  }
}

t.test('points', async (t) => {
  await holds(t, 'come back', fc.property(points, (share) => { must(equalBytes(encodePoint(decodePoint(share)), share), 'another point') }), 5)
  const given = fc.oneof(bytes({ maxLength: 70 }), bytes({ minLength: 64, maxLength: 64 }).map((xy) => Uint8Array.of(4, ...xy)), mutatedBytes(points))
  await holds(t, 'are refused, or have these bytes alone', fc.asyncProperty(given, async (share) => {
    const point = await read(() => decodePoint(share), isRefused)
    must(point === undefined || equalBytes(encodePoint(point), share), 'a second encoding')
    must((point !== undefined) === isPoint(share), 'noble-curves says something else')
  }), 2)
  const own = { scalar: fromHex('01'.repeat(32)), share: encodePoint(multiplyBase(fromHex('01'.repeat(32)))) }
  await holds(t, 'of a share lead to a point of the curve or to a refusal', fc.asyncProperty(fc.oneof(given, points), points, async (peer, blinding) => {
    const shared = await read(() => sharedPoint(own, peer, blinding), isRefused)
    must(shared === undefined || equalBytes(encodePoint(decodePoint(shared)), shared), 'no point')
  }), 5)
})

t.test('a confirmation matches itself alone', async (t) => {
  const expected = bytes({ minLength: 32, maxLength: 32 })
  await holds(t, 'whatever comes', fc.asyncProperty(expected.chain((one) => fc.tuple(fc.constant(one), fc.oneof(fc.constant(one), bytes({ maxLength: 40 }), mutatedBytes(fc.constant(one))))), async ([one, other]) => {
    must(await confirmationMatches(one, other) === equalBytes(one, other), 'another answer')
  }), 2)
})

t.test('a wrapped key opens as it was wrapped, or not at all', async (t) => {
  const [sessionKey, contentKey, id] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2), newSessionId()]
  const wrapped = await wrapContentKey(sessionKey, id, contentKey)
  await holds(t, 'whatever comes', fc.asyncProperty(fc.oneof(bytes({ maxLength: 80 }), mutatedBytes(fc.constant(wrapped))), async (given) => {
    const opened = await read(() => unwrapContentKey(sessionKey, id, given), (error) => isLocalSendError(error, 'WRAPPED_KEY_REFUSED'))
    must((opened !== undefined) === equalBytes(given, wrapped), 'another answer')
  }), 2)
})

const codes = fc.record({
  sessionId: fc.constantFrom(newSessionId(), newSessionId()),
  verificationCode: fc.stringMatching(/^[0-9]{6}$/),
  passphrase: fc.constantFrom('absent-mango-river', 'zoo-zoo-zoo-zoo', undefined)
})

t.test('codes', async (t) => {
  const given = fc.oneof(text(), mutatedText(codes.map(formatCode)), fc.tuple(fc.webUrl(), mutatedText(codes.map(formatCode))).map(([url, code]) => `${url}#${code}`))
  await holds(t, 'are refused without a word of what was typed, or come back', fc.asyncProperty(given, async (typed) => {
    const secret = typed.match(/[a-z]{6,}/g) ?? []
    const parsed = await read(() => parseCodeOrLink(typed), (error) => isCodeInvalid(error) && !secret.some((word) => String(error).replace('a1b2c3d4-123456-absent-mango-river', '').includes(word)))
    if (parsed === undefined) return
    must(isSessionId(parsed.sessionId) && /^\d{6}$/.test(parsed.verificationCode), 'a part of another form')
    const { server, ...code } = parsed
    must(JSON.stringify(parseCode(formatCode(code))) === JSON.stringify(code), 'another code')
    must(server === undefined || /^https?:\/\/[^#]*[^/#]$/.test(server), 'another server')
  }))
  for (const long of ['- ', '/', 'https://x.org/'.padEnd(1e6, '/') + 'a#', '\u3000', 'zoo-']) t.throws(() => parseCodeOrLink(long.length > 9 ? long : long.repeat(1e6 / long.length)), { code: 'CODE_INVALID' })
})

t.test('ids', async (t) => {
  for (const [name, is, length, fresh] of [['session', isSessionId, 8, newSessionId], ['file', isFileId, 32, newFileId], ['join', isJoinId, 16, newJoinId]] as const) {
    const given = fc.oneof(text(), mutatedText(fc.constant(String(fresh()))), fc.anything())
    await holds(t, name, fc.property(given, (id) => {
      must(!is(id) || (typeof id === 'string' && id.length === length && id.replace(/[0-9a-f]/g, '') === ''), 'another form')
    }))
  }
})

t.test('ids of events', async (t) => {
  const positions = fc.record({ epoch: fc.constant(newEpoch()), number: fc.maxSafeNat() })
  await holds(t, 'come back', fc.property(positions, (position) => { must(JSON.stringify(parseEventId(formatEventId(position))) === JSON.stringify(position), 'another place') }))
  await holds(t, 'have one text', fc.property(fc.oneof(text(), mutatedText(positions.map(formatEventId)), fc.oneof(fc.bigInt({ min: 2n ** 53n - 9n, max: 2n ** 53n + 9n }), fc.stringMatching(/^0{0,2}[0-9]{1,3}$/)).map((number) => `${newEpoch()}-${number}`)), (id) => {
    const parsed = parseEventId(id)
    must(parsed === undefined || (formatEventId(parsed) === id && Number.isSafeInteger(parsed.number)), 'a second text')
  }))
})

t.test('whoever comes back with an id that was never given out is told that he may have missed something', async (t) => {
  const [hub, sessionId, given] = [new MemoryEventHub(), newSessionId(), new Map<string, number>()]
  const startOf = async (lastEventId: string): Promise<{ lost: boolean, heard: number }> => {
    const start = { lost: false, heard: 0 }
    const leave = await hub.subscribe(sessionId, lastEventId, { onStart: (_, lost) => { start.lost = lost }, onEvent: () => { start.heard += 1 } })
    leave()
    return start
  }
  await hub.subscribe(sessionId, undefined, { onStart: (id) => { given.set(id, 0) }, onEvent: ({ id }) => { given.set(id, given.size) } })
  for (let i = 0; i < 5; i++) hub.publish(sessionId, { type: 'session.locked' })
  t.equal(given.size, 6)
  await holds(t, 'whatever the id', fc.asyncProperty(fc.oneof(text(), fc.constantFrom(...given.keys()), fc.tuple(fc.constantFrom(...given.keys()), fc.nat(20)).map(([id, number]) => id.replace(/\d+$/, String(number))), mutatedText(fc.constantFrom(...given.keys()))), async (id) => {
    const { lost, heard } = await startOf(id)
    must(lost === !given.has(id) && heard === (lost ? 0 : 5 - (given.get(id) ?? 0)), 'something was passed over, or told twice')
  }))
})

t.test('tokens', async (t) => {
  const { token, hash } = await newToken()
  await holds(t, 'have one text, and no other hash', fc.asyncProperty(fc.oneof(text(), mutatedText(fc.constant(token))), async (given) => {
    const hashed = await hashToken(given)
    must(hashed === undefined || (toBase64url(fromBase64url(given)) === given && /^[0-9a-f]{64}$/.test(hashed)), 'a second text')
    must((hashed === hash) === (given === token), 'the hash of another')
    must(utf8(given).length >= given.length, 'fewer bytes than characters')
  }))
})

import t from 'tap'
import { fromHex, toHex, type Bytes } from '../../lib/crypto/bytes.js'
import { sha256, unwrapContentKey, verifier, wrapContentKey } from '../../lib/crypto/keys.js'
import { M, N, N_ORDER, add, decodePoint, encodePoint, multiplyBase, negate } from '../../lib/crypto/p256.js'
import { PBKDF2_ITERATIONS, deriveW, preparePassword } from '../../lib/crypto/password.js'
import { AAD, confirmationMatches, identities, joinerHandshake, joinerShare, passwordElement, responderHandshake, responderShare, sharedPoint, transcript, type Share } from '../../lib/crypto/spake2.js'
import localSend from '../vectors/local-send-1.json' with { type: 'json' }
import rfc9382 from '../vectors/rfc9382-p256.json' with { type: 'json' }
import { flipped, pattern, randomOf, sessionId, sessionKind } from './fixtures/helpers.js'

const refused = { code: 'SHARE_REFUSED' }
const hex = <Field extends string>(fields: Record<Field, Uint8Array>) =>
  Object.fromEntries(Object.entries<Uint8Array>(fields).map(([name, bytes]) => [name, toHex(bytes)]))

t.test('the blinding points of RFC 9382', (t) => {
  for (const [point, compressed] of [[M, rfc9382.M], [N, rfc9382.N]] as const) t.equal(point.encodeCompressed('hex'), compressed)
  t.end()
})

for (const vector of rfc9382.vectors) {
  t.test(`RFC 9382 Appendix B, A=${JSON.stringify(vector.A)} B=${JSON.stringify(vector.B)}`, async (t) => {
    const element = passwordElement(fromHex(vector.w))
    const [a, b] = [joinerShare(element, randomOf(fromHex(vector.x))), responderShare(element, randomOf(fromHex(vector.y)))]
    t.equal(toHex(a.share), vector.pA, 'pA')
    t.equal(toHex(b.share), vector.pB, 'pB')
    const K = sharedPoint(a, b.share, element.wN)
    t.equal(toHex(K), vector.K, 'K of A')
    t.equal(toHex(sharedPoint(b, a.share, element.wM)), vector.K, 'K of B')
    const all = await transcript({ idA: vector.A, idB: vector.B, aad: new Uint8Array(), pA: a.share, pB: b.share, K, w: element.w })
    t.equal(toHex(all.TT), vector.TT, 'TT')
    t.equal(toHex(await sha256(all.TT)), vector.hashTT, 'hashTT')
    for (const field of ['Ke', 'Ka', 'KcA', 'KcB', 'cA', 'cB'] as const) t.equal(toHex(all[field]), vector[field], field)
  })
}

t.equal(localSend.iterations, PBKDF2_ITERATIONS)

for (const vector of localSend.handshakes) {
  t.test(`local-send/1, kind=${vector.kind}`, async (t) => {
    const [kind, sid] = [sessionKind(vector.kind), sessionId(vector.sessionId)]
    t.equal(toHex(preparePassword(vector.password)), vector.passwordBytes, 'passwordBytes')
    const w = await deriveW(vector.password, sid)
    t.equal(toHex(w), vector.w, 'w')
    const { idA, idB } = identities(kind, sid)
    t.equal(idA, vector.idA, 'idA')
    t.equal(idB, vector.idB, 'idB')
    t.equal(toHex(AAD), vector.aad, 'aad')
    const element = passwordElement(w)
    const [a, b] = [joinerShare(element, randomOf(fromHex(vector.x))), responderShare(element, randomOf(fromHex(vector.y)))]
    t.equal(toHex(a.share), vector.pA, 'pA')
    t.equal(toHex(b.share), vector.pB, 'pB')
    const K = sharedPoint(a, b.share, element.wN)
    t.equal(toHex(K), vector.K, 'K')
    const all = await transcript({ idA, idB, aad: AAD, pA: a.share, pB: b.share, K, w })
    t.equal(toHex(await sha256(all.TT)), vector.hashTT, 'hashTT')
    for (const field of ['TT', 'Ke', 'Ka', 'KcA', 'KcB', 'cA', 'cB'] as const) t.equal(toHex(all[field]), vector[field], field)

    const joiner = await joinerHandshake({ kind, sid, element, own: a, peer: b.share })
    t.same(hex({ ...joiner }), { expectedConfirmation: vector.cB, confirmation: vector.cA, sessionKey: vector.sessionKey })
    const responder = await responderHandshake({ kind, sid, element, own: b, peer: a.share })
    t.same(hex({ ...responder }), { expectedConfirmation: vector.cA, confirmation: vector.cB, sessionKey: vector.sessionKey })

    t.equal(await verifier(joiner.sessionKey, sid), vector.verifier, 'verifier')
    const wrapped = await wrapContentKey(responder.sessionKey, sid, fromHex(vector.contentKey), fromHex(vector.wrapNonce))
    t.equal(toHex(wrapped), vector.wrappedContentKey, 'wrappedContentKey')
    t.equal(toHex(await unwrapContentKey(joiner.sessionKey, sid, wrapped)), vector.contentKey, 'contentKey')
  })
}

const sid = sessionId('0123abcd')
const element = passwordElement(pattern(32))
const session = { kind: 'managed', sid, element } as const

t.test('shares are fresh', (t) => {
  const [one, other] = [joinerShare(element), joinerShare(element)]
  t.equal(toHex(one.scalar) === toHex(other.scalar), false)
  t.equal(toHex(one.share) === toHex(other.share), false)
  t.throws(() => joinerShare(element, () => pattern(31)), RangeError)
  t.end()
})

const agree = async (joiner: Partial<Parameters<typeof joinerHandshake>[0]>, responder: Partial<Parameters<typeof responderHandshake>[0]>) => {
  const a = joinerShare(joiner.element ?? element)
  const b = responderShare(responder.element ?? element)
  const A = await joinerHandshake({ ...session, ...joiner, own: a, peer: b.share })
  const B = await responderHandshake({ ...session, ...responder, own: b, peer: a.share })
  return [await confirmationMatches(B.expectedConfirmation, A.confirmation), await confirmationMatches(A.expectedConfirmation, B.confirmation), toHex(A.sessionKey) === toHex(B.sessionKey)]
}

t.test('both sides agree exactly if password, kind and session are the same', async (t) => {
  t.same(await agree({}, {}), [true, true, true])
  t.same(await agree({ element: passwordElement(flipped(pattern(32), -1)) }, {}), [false, false, false], 'another password')
  t.same(await agree({ kind: 'end-to-end' }, {}), [false, false, false], 'another kind')
  t.same(await agree({ sid: sessionId('0123abce') }, {}), [false, false, false], 'another session')
})

t.test('a confirmation must be the expected one, whole', async (t) => {
  const { expectedConfirmation: expected, confirmation } = await joinerHandshake({ ...session, own: joinerShare(element), peer: responderShare(element).share })
  t.equal(await confirmationMatches(expected, expected), true)
  t.equal(await confirmationMatches(expected, confirmation), false, 'our own sent back')
  t.equal(await confirmationMatches(expected, flipped(expected, 31)), false)
  t.equal(await confirmationMatches(expected, expected.subarray(0, 31)), false)
  t.equal(await confirmationMatches(expected, new Uint8Array()), false)
})

const encoded = (...points: Array<ReturnType<typeof decodePoint>>): Bytes => encodePoint(points.reduce(add))
const [wM, wN] = [decodePoint(element.wM), decodePoint(element.wN)]
const seven = multiplyBase(flipped(new Uint8Array(32), -1))

const sides = [
  ['joiner', joinerHandshake, joinerShare, element.wN, wN],
  ['responder', responderHandshake, responderShare, element.wM, wM]
] as const

for (const [name, handshake, newShare, blinding, blindingPoint] of sides) {
  t.test(`the ${name} refuses what section 3 refuses`, async (t) => {
    const own = newShare(element)
    const peer = (share: Uint8Array) => handshake({ ...session, own, peer: share })
    await t.rejects(peer(own.share), refused, 'our own share')
    await t.rejects(peer(blinding), refused, 'the blinding itself: infinity once it is taken off')
    await t.rejects(peer(new Uint8Array(65)), refused, 'infinity')
    await t.rejects(peer(flipped(own.share, 64)), refused, 'off the curve')
    await t.rejects(peer(own.share.subarray(0, 64)), refused, 'short')
    await t.rejects(peer(Uint8Array.of(0)), refused, 'infinity as SEC 1 writes it')
    await t.rejects(peer(fromHex('02886e2f97ace46e55ba9dd7242579f2993b64e16ef3dcab95afd497333d8fa12f')), refused, 'compressed')
    const K = await peer(encoded(blindingPoint, seven))
    t.equal(K.sessionKey.length, 32, 'a point beside the blinding is a share like any other')
  })

  t.test(`the ${name} refuses K at infinity`, async (t) => {
    const broken: Share = { scalar: N_ORDER, share: newShare(element).share }
    await t.rejects(handshake({ ...session, own: broken, peer: encoded(negate(blindingPoint), seven) }), refused)
  })
}

t.test('w must be a scalar', (t) => {
  for (const w of [new Uint8Array(32), N_ORDER, new Uint8Array(32).fill(0xff), pattern(31), pattern(33), new Uint8Array()]) t.throws(() => passwordElement(w), RangeError, toHex(w))
  t.end()
})

t.test('a stored element that is no point is refused', (t) => {
  t.throws(() => joinerShare({ ...element, wM: new Uint8Array(65) }), refused)
  t.throws(() => responderShare({ ...element, wN: flipped(element.wN, 7) }), refused)
  t.end()
})

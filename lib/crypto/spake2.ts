/**
 * SPAKE2 (RFC 9382, https://www.rfc-editor.org/rfc/rfc9382), suite P256-SHA256-HKDF-SHA256-HMAC-SHA256, as protocol
 * local-send/1, section 3 fixes it. A is always the joiner and uses M, B the responder and uses N.
 *
 *     pA = w·M + x·P      pB = w·N + y·P      K = x·(pB − w·N) = y·(pA − w·M)
 *     TT = lp(idA) ‖ lp(idB) ‖ lp(pA) ‖ lp(pB) ‖ lp(K) ‖ lp(w)       lp(v) = length of v, 8 bytes LITTLE-endian ‖ v
 *     Ke ‖ Ka = SHA-256(TT)      KcA ‖ KcB = HKDF(Ka, empty, "ConfirmationKeys" ‖ AAD, 32)
 *     cA = HMAC(KcA, TT)         cB = HMAC(KcB, TT)
 *
 * The functions keep nothing: a responder's y may lie sealed in a store between two requests.
 *
 * Invariant: B checks cA before it reveals cB, and nobody uses the session key before the other's confirmation was checked.
 * The caller keeps it: `confirmation` is to be sent, `expectedConfirmation` to be checked with {@link confirmationMatches}.
 */

import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'
import { concat, equalBytes, equalSecrets, u32, utf8, type Bytes, type RandomSource } from './bytes.js'
import { hkdf, hmac, sessionKey, sha256 } from './keys.js'
import * as p256 from './p256.js'
import { PBKDF2_ITERATIONS } from './password.js'

/** Who runs SPAKE2 with the joiner: the server, or the creator of the session (section 1). */
export type SessionKind = 'managed' | 'end-to-end'

/** What a password becomes in one session. It is the password's equivalent there: keep it as secret. */
export interface PasswordElement {
  /** w, 32 bytes big-endian. */
  readonly w: Bytes
  /** w·M, 65 bytes. */
  readonly wM: Bytes
  /** w·N, 65 bytes. */
  readonly wN: Bytes
}

/** One side's contribution to one attempt; never used for another. */
export interface Share {
  /** x or y, 32 bytes big-endian: secret. */
  readonly scalar: Bytes
  /** pA or pB, 65 bytes: what is sent. */
  readonly share: Bytes
}

/** What one side has once it holds both shares. */
export interface Handshake {
  /** What the other side must send: cB for the joiner, cA for the responder. 32 bytes. */
  readonly expectedConfirmation: Bytes
  /** What this side sends: cA for the joiner, cB for the responder. 32 bytes. */
  readonly confirmation: Bytes
  /** SK, 32 bytes. Worth nothing before the other side's confirmation was found right. */
  readonly sessionKey: Bytes
}

/** One side's view of an attempt. */
export interface HandshakeInput {
  readonly kind: SessionKind
  readonly sid: SessionId
  readonly element: PasswordElement
  readonly own: Share
  /** The other side's share as it arrived, unchecked. */
  readonly peer: Uint8Array
}

/** Everything that goes into a transcript; points are 65 bytes, w 32. */
export interface TranscriptInput {
  readonly idA: string
  readonly idB: string
  readonly aad: Bytes
  readonly pA: Uint8Array
  readonly pB: Uint8Array
  readonly K: Bytes
  readonly w: Bytes
}

/** Every value that RFC 9382 derives from a transcript: TT, 16-byte keys, 32-byte confirmations. */
export interface Transcript {
  readonly TT: Bytes
  readonly Ke: Bytes
  readonly Ka: Bytes
  readonly KcA: Bytes
  readonly KcB: Bytes
  readonly cA: Bytes
  readonly cB: Bytes
}

const SUITE = 0x01

/** The associated data of every confirmation: protocol, suite, PBKDF2's iterations (section 3). */
export const AAD: Bytes = concat(utf8('local-send/1\0'), Uint8Array.of(SUITE), u32(PBKDF2_ITERATIONS))

/**
 * w with w·M and w·N, which are computed once per session (section 3).
 *
 * @throws RangeError unless w is 32 bytes in [1, n)
 */
export const passwordElement = (w: Bytes): PasswordElement => {
  if (!p256.isScalar(w)) throw new RangeError('w must be 32 bytes in [1, n).')
  return { w, wM: p256.encodePoint(p256.multiply(p256.M, w)), wN: p256.encodePoint(p256.multiply(p256.N, w)) }
}

/** A fresh x and pA = w·M + x·P. */
export const joinerShare = ({ wM }: PasswordElement, random?: RandomSource): Share => newShare(wM, random)

/** A fresh y and pB = w·N + y·P. */
export const responderShare = ({ wN }: PasswordElement, random?: RandomSource): Share => newShare(wN, random)

const newShare = (blinding: Bytes, random?: RandomSource): Share => {
  const scalar = p256.randomScalar(random)
  return { scalar, share: p256.encodePoint(p256.add(p256.decodePoint(blinding), p256.multiplyBase(scalar))) }
}

/**
 * K, 65 bytes, from our share and the other side's, whose blinding is w·N for the joiner and w·M for the responder.
 *
 * @throws SHARE_REFUSED in every case of section 3
 */
export const sharedPoint = (own: Share, peer: Uint8Array, blinding: Bytes): Bytes => {
  const received = p256.decodePoint(peer)
  if (equalBytes(peer, own.share)) throw new LocalSendError('SHARE_REFUSED')
  const unblinded = finite(p256.add(received, p256.negate(p256.decodePoint(blinding))))
  return p256.encodePoint(finite(p256.multiply(unblinded, own.scalar)))
}

const finite = (point: p256.Point): p256.Point => {
  if (p256.isInfinity(point)) throw new LocalSendError('SHARE_REFUSED')
  return point
}

/** The transcript and all that follows from it, for any identities and associated data (RFC 9382 sections 3.3 and 4). */
export const transcript = async ({ idA, idB, aad, pA, pB, K, w }: TranscriptInput): Promise<Transcript> => {
  const TT = concat(...[utf8(idA), utf8(idB), pA, pB, K, w].flatMap((value) => [lengthPrefix(value), value]))
  const [Ke, Ka] = halves(await sha256(TT))
  const [KcA, KcB] = halves(await hkdf(Ka, new Uint8Array(), concat(utf8('ConfirmationKeys'), aad), 32))
  const [cA, cB] = await Promise.all([hmac(KcA, TT), hmac(KcB, TT)])
  return { TT, Ke, Ka, KcA, KcB, cA, cB }
}

const lengthPrefix = (value: Uint8Array): Bytes => concat(u32(value.length).reverse(), u32(0))

const halves = (bytes: Bytes): [Bytes, Bytes] => [bytes.slice(0, 16), bytes.slice(16)]

/** idA and idB: both sides' names bind kind, session and roles into the transcript (section 3). */
export const identities = (kind: SessionKind, sid: SessionId): { idA: string, idB: string } => {
  const session = `local-send/1;kind=${kind};session=${sid}`
  return { idA: `${session};role=joiner`, idB: `${session};role=${kind === 'managed' ? 'server' : 'creator'}` }
}

/**
 * The joiner's side, once pB has arrived.
 *
 * @throws SHARE_REFUSED if pB is refused: end the attempt, it counts as a failed one
 */
export const joinerHandshake = async ({ kind, sid, element, own, peer }: HandshakeInput): Promise<Handshake> => {
  const K = sharedPoint(own, peer, element.wN)
  const { Ke, cA, cB } = await transcript({ ...identities(kind, sid), aad: AAD, pA: own.share, pB: peer, K, w: element.w })
  return { expectedConfirmation: cB, confirmation: cA, sessionKey: await sessionKey(Ke, sid) }
}

/**
 * The responder's side, once pA has arrived. Check cA before `confirmation` leaves this process.
 *
 * @throws SHARE_REFUSED if pA is refused: end the attempt, it counts as a failed one
 */
export const responderHandshake = async ({ kind, sid, element, own, peer }: HandshakeInput): Promise<Handshake> => {
  const K = sharedPoint(own, peer, element.wM)
  const { Ke, cA, cB } = await transcript({ ...identities(kind, sid), aad: AAD, pA: peer, pB: own.share, K, w: element.w })
  return { expectedConfirmation: cA, confirmation: cB, sessionKey: await sessionKey(Ke, sid) }
}

/** Whether the confirmation that arrived is the expected one, compared as section 3 demands. False ends the attempt. */
export const confirmationMatches = (expected: Bytes, received: Uint8Array): Promise<boolean> => equalSecrets(expected, received)

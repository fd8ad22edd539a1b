/**
 * Joining a session by SPAKE2 (protocol local-send/1, sections 3 and 4), with its creator in an end-to-end session, with the
 * server in a managed one. Invariants: the password never leaves; w is derived once; cA is sent once, after it has been written
 * down, and only to the kind of session that was expected; the session key is not used before cB was found right; after five
 * confirmations without a right answer no other is sent. An attempt is never repeated.
 */

import type { Bytes } from '../lib/crypto/bytes.js'
import { unwrapContentKey, verifier } from '../lib/crypto/keys.js'
import { deriveW, type DeriveW } from '../lib/crypto/password.js'
import { confirmationMatches, joinerHandshake, joinerShare, passwordElement, type Handshake, type SessionKind } from '../lib/crypto/spake2.js'
import type { JoinId, SessionId } from '../lib/ids.js'
import type { Attempt, AttemptStatus, SessionStatus } from './answers.js'
import { Api } from './api.js'
import { parseCodeOrLink } from './code.js'
import { ClientError, isClientError, isTransient, toClientError } from './errors.js'
import { backoff } from './events.js'
import { pause, type Connection, type Options } from './http.js'
import type { Member } from './session.js'

/** The confirmations that this joiner has sent in a session without a right one in return. Each may have been a guess. */
export interface Guesses {
  /** As it was written down last; 0 at first. */
  readonly count: number
  /** Writes it down. The confirmation is sent when it has resolved. */
  readonly onGuess: (count: number) => Promise<void>
}

/** How far a join is: the password is stretched; the other side's share is waited for; then its decision. */
export type JoinState = 'deriving' | 'waiting' | 'confirming'

/** What {@link joinSession} takes. */
export interface JoinOptions extends Options {
  /** As it was said or typed, or the link; see `parseCodeOrLink`. */
  readonly code: string
  /** Where the code holds no passphrase. It is taken as typed. */
  readonly password?: string | undefined
  /** The kind that the user expects; `end-to-end` by default. */
  readonly kind?: SessionKind
  /** For callers who need w for something else too, and want it derived once. */
  readonly derive?: DeriveW | undefined
  /** To be kept across runs; without it, this process counts. */
  readonly guesses?: Guesses | undefined
  readonly onState?: (state: JoinState) => void
}

/** A session that has been joined. */
export interface JoinedSession {
  readonly member: Member
  /** For people who compare it by voice: `xxxx xxxx xxxx xxxx`. */
  readonly verifier: string
}

/** Confirmations without a right answer after which none is sent any more (section 4, "Attempts"). */
export const MAX_GUESSES = 5

/** Seconds that a poll waits at the server. */
const WAIT = 25
/** Milliseconds after which a poll that has not been answered is made anew. */
const POLL_LIMIT = 40_000
/** Milliseconds for which the other side is waited for, in each of the two steps that are its to take; the server waits for 60 s. */
export const JOINER_PATIENCE = 120_000
/** Milliseconds between polls that are answered without news. */
const POLL_PAUSE = 200
/** Times that the state of the session is asked for, once one is in it. */
const STATUS_TRIES = 8

/**
 * Joins a session.
 *
 * @throws ClientError CODE_INVALID, PASSWORD_MISSING, PASSWORD_INVALID before anything is sent; GUESSING_SUSPECTED; UNEXPECTED_KIND;
 *   JOIN_REFUSED for a wrong verification code; NOT_ANSWERED if the creator is not there; REJECTED; SHARE_REFUSED; WRONG_PASSWORD;
 *   WRAPPED_KEY_REFUSED; what the server's answers say
 */
export async function joinSession (connection: Connection, options: JoinOptions): Promise<JoinedSession> {
  try {
    return await join(connection, options)
  } catch (error) {
    throw toClientError(error)
  }
}

async function join (connection: Connection, { code, password, kind = 'end-to-end', derive = deriveW, guesses, onState, signal }: JoinOptions): Promise<JoinedSession> {
  const { sessionId, verificationCode, passphrase } = parseCodeOrLink(code)
  const secret = password ?? passphrase
  if (secret === undefined) throw new ClientError('PASSWORD_MISSING')
  const budget = new Budget(sessionId, guesses)
  budget.check()
  onState?.('deriving')
  const element = passwordElement(await derive(secret, sessionId))
  const own = joinerShare(element)

  onState?.('waiting')
  const pending = await new Api(connection, sessionId).join(verificationCode, own.share, { signal })
  if (pending.kind !== kind) throw new ClientError('UNEXPECTED_KIND')
  const attempt: Side = { api: new Api(connection, sessionId, pending.token), joinId: pending.joinId, signal }
  const peer = kind === 'managed' ? pending.publicKey : await answerTo(attempt)
  if (peer === undefined) throw new ClientError('BAD_ANSWER', { detail: 'What is wrong: public_key.' })
  const handshake = await joinerHandshake({ kind, sid: sessionId, element, own, peer })

  onState?.('confirming')
  await budget.spend()
  const accepted = kind === 'managed' ? await confirmToServer(attempt, handshake) : await confirmToCreator(attempt, handshake)
  if (!await confirmationMatches(handshake.expectedConfirmation, accepted.confirmation)) throw new ClientError('WRONG_PASSWORD')
  await budget.giveBack()
  const contentKey = accepted.wrappedKey && await unwrapContentKey(handshake.sessionKey, sessionId, accepted.wrappedKey)
  const { expiresAt, limits } = await stateOf(attempt, kind)
  return {
    member: { server: connection.server, sessionId, kind, role: 'joiner', token: pending.token, contentKey, expiresAt, limits },
    verifier: await verifier(handshake.sessionKey, sessionId)
  }
}

/** Counts of this process, for callers that keep none. */
const spentHere = new Map<SessionId, number>()

/** How many more confirmations may be sent. */
class Budget {
  readonly #sessionId: SessionId
  readonly #guesses: Guesses | undefined

  constructor (sessionId: SessionId, guesses: Guesses | undefined) {
    this.#sessionId = sessionId
    this.#guesses = guesses
    spentHere.set(sessionId, Math.max(guesses?.count ?? 0, this.#count))
  }

  get #count (): number {
    return spentHere.get(this.#sessionId) ?? 0
  }

  check (): void {
    if (this.#count >= MAX_GUESSES) throw new ClientError('GUESSING_SUSPECTED')
  }

  async spend (): Promise<void> {
    this.check()
    await this.#write(this.#count + 1)
  }

  async giveBack (): Promise<void> {
    await this.#write(this.#count - 1)
  }

  async #write (count: number): Promise<void> {
    spentHere.set(this.#sessionId, count)
    await this.#guesses?.onGuess(count)
  }
}

/** The joiner's side of one attempt. */
interface Side extends Options {
  readonly api: Api
  readonly joinId: JoinId
}

/** What B proves and gives. */
interface Accepted {
  readonly confirmation: Bytes
  /** `undefined` in a managed session. */
  readonly wrappedKey: Bytes | undefined
}

/** The creator's share. */
async function answerTo (side: Side): Promise<Bytes> {
  const { status, publicKey } = await beyond(side, ['pending'])
  if (status === 'rejected') throw new ClientError('REJECTED')
  if (status === 'answered' && publicKey !== undefined) return publicKey
  throw new ClientError('BAD_ANSWER', { detail: `What is wrong: an attempt that is ${status}, without a share or before it was confirmed.` })
}

async function confirmToCreator (side: Side, { confirmation: own }: Handshake): Promise<Accepted> {
  const { api, joinId, signal } = side
  try {
    await api.confirm(joinId, own, { signal })
  } catch (error) {
    // Whether it arrived is seen from the attempt. It is not sent again.
    if (!isTransient(error)) throw isClientError(error, 'ATTEMPT_ENDED', 'ATTEMPT_NOT_FOUND') ? new ClientError('NOT_ANSWERED', { cause: error }) : error
  }
  const { status, confirmation, wrappedKey } = await beyond(side, ['answered', 'confirmed'])
  if (status === 'rejected') throw new ClientError('WRONG_PASSWORD')
  if (status === 'joined' && confirmation !== undefined && wrappedKey !== undefined) return { confirmation, wrappedKey }
  throw new ClientError('BAD_ANSWER', { detail: `What is wrong: an attempt that is ${status}, without confirmation or key.` })
}

async function confirmToServer ({ api, joinId, signal }: Side, { confirmation: own }: Handshake): Promise<Accepted> {
  try {
    const confirmation = await api.confirm(joinId, own, { signal })
    if (confirmation !== undefined) return { confirmation, wrappedKey: undefined }
  } catch (error) {
    throw isClientError(error, 'JOIN_REFUSED') ? new ClientError('WRONG_PASSWORD', { cause: error }) : error
  }
  throw new ClientError('BAD_ANSWER', { detail: 'What is wrong: confirmation.' })
}

/** The attempt as soon as its status is none of these. @throws ClientError NOT_ANSWERED if it expires, or nothing happens for too long */
async function beyond (side: Side, known: readonly [AttemptStatus, ...AttemptStatus[]]): Promise<Attempt> {
  const deadline = Date.now() + JOINER_PATIENCE
  let after = known[0]
  for (let failures = 0; Date.now() < deadline;) {
    // After a failure an answer at once says whether the server is there again.
    const attempt = await poll(side, after, failures === 0 ? WAIT : 0)
    if (attempt?.status === 'expired') break
    if (attempt !== undefined && !known.includes(attempt.status)) return attempt
    failures = attempt === undefined ? failures + 1 : 0
    const isNews = attempt !== undefined && attempt.status !== after
    after = attempt?.status ?? after
    if (!isNews) await pause(failures > 0 ? backoff(failures) : POLL_PAUSE, side.signal)
  }
  throw new ClientError('NOT_ANSWERED')
}

/** One look at the attempt; `undefined` if the server could not be asked. */
async function poll ({ api, joinId, signal }: Side, after: AttemptStatus, wait: number): Promise<Attempt | undefined> {
  const limit = AbortSignal.timeout(POLL_LIMIT)
  try {
    return await api.attempt(joinId, { wait, after, signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) })
  } catch (error) {
    signal?.throwIfAborted()
    if (limit.aborted || isTransient(error)) return undefined
    if (isClientError(error, 'ATTEMPT_NOT_FOUND')) throw new ClientError('NOT_ANSWERED', { cause: error })
    throw isClientError(error, 'UNAUTHORIZED') ? new ClientError('SESSION_NOT_FOUND', { cause: error }) : error
  }
}

/** The state of the session that has been joined. The place in it is taken, so a connection that breaks is waited out. */
async function stateOf ({ api, signal }: Side, kind: SessionKind): Promise<SessionStatus> {
  for (let failures = 1; ; failures++) {
    try {
      const status = await api.status({ signal })
      if (status.kind !== kind) throw new ClientError('UNEXPECTED_KIND')
      if (status.role === 'joiner') return status
      throw new ClientError('BAD_ANSWER', { detail: 'What is wrong: status.role.' })
    } catch (error) {
      if (!isTransient(error) || failures === STATUS_TRIES) throw error
    }
    await pause(backoff(failures), signal)
  }
}

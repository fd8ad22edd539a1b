import { equalSecrets, type Bytes } from '../crypto/bytes.js'
import { prepareBase } from '../crypto/p256.js'
import { preparePassword } from '../crypto/password.js'
import { responderHandshake, responderShare, type SessionKind } from '../crypto/spake2.js'
import { isLocalSendError, LocalSendError } from '../errors.js'
import type { JoinId, SessionId } from '../ids.js'
import { newJoinId } from '../new-ids.js'
import type { PasswordStretching } from './password-stretching.js'
import * as state from './join-attempts.js'
import { tellRefusal } from './join-refusal.js'
import { secretsOf, type SessionRecord, type SessionSecrets } from './session.js'
import type { Sessions } from './sessions.js'
import type { SessionStore } from './store.js'
import { codesMatch, newToken } from './tokens.js'

export interface Joined {
  readonly session: SessionRecord
  readonly token: string
  readonly answer: { readonly share: Bytes, readonly confirmation: Bytes } | null
}

export interface Answered {
  readonly joinId: JoinId
  readonly kind: SessionKind
  readonly token: string
  readonly share: Bytes
}

interface Dependencies {
  readonly sessions: Sessions
  readonly store: SessionStore
  readonly stretching: PasswordStretching
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
}

/** An attempt that has been reserved and is being decided. */
interface Attempt {
  readonly session: SessionRecord
  readonly joinId: JoinId
  readonly firstShare: SessionSecrets['firstShare']
}

/**
 * Joining a managed session, by password or by SPAKE2 (protocol local-send/1, sections 3 and 4). The server is always
 * SPAKE2's B. Nothing is derived or answered before the verification code was right, and no attempt escapes the count that
 * locks a session.
 */
export class Joins {
  readonly #sessions: Sessions
  readonly #store: SessionStore
  readonly #stretching: PasswordStretching
  readonly #clock: () => number

  constructor ({ sessions, store, stretching, clock = Date.now }: Dependencies) {
    this.#sessions = sessions
    this.#store = store
    this.#stretching = stretching
    this.#clock = clock
    prepareBase()
  }

  /**
   * Joins with the password itself, and proves the server's knowledge of it where the joiner sent a share.
   * @throws LocalSendError PASSWORD_INVALID, SESSION_NOT_FOUND, JOIN_REFUSED, ATTEMPTS_PENDING, SESSION_LOCKED, SESSION_FULL, SERVER_BUSY
   */
  async withPassword (id: SessionId, code: string, password: string, peerShare: Bytes | undefined, signal: AbortSignal): Promise<Joined> {
    preparePassword(password)
    const token = await newToken()
    return await this.#attempt(id, code, token.hash, peerShare !== undefined, async ({ session, joinId, firstShare }) => {
      const w = await this.#stretching.derive(password, id, signal)
      const { element } = secretsOf(session)
      if (!await equalSecrets(w, element.w)) throw new LocalSendError('JOIN_REFUSED')
      const own = firstShare ?? responderShare(element)
      const handshake = peerShare && await responderHandshake({ kind: session.kind, sid: id, element, own, peer: peerShare })
      return {
        session: await this.#admit(id, joinId),
        token: token.token,
        answer: handshake ? { share: own.share, confirmation: handshake.confirmation } : null
      }
    })
  }

  /**
   * Answers a joiner's share; the joiner owes a confirmation now.
   * @throws LocalSendError SESSION_NOT_FOUND, JOIN_REFUSED, ATTEMPTS_PENDING, SESSION_LOCKED, SESSION_FULL
   */
  async withShare (id: SessionId, code: string, peerShare: Bytes): Promise<Answered> {
    const token = await newToken()
    return await this.#attempt(id, code, token.hash, true, async ({ session, joinId, firstShare }) => {
      const { element } = secretsOf(session)
      const own = firstShare ?? responderShare(element)
      const { expectedConfirmation, confirmation } = await responderHandshake({ kind: session.kind, sid: id, element, own, peer: peerShare })
      const confirmations = { expected: expectedConfirmation, own: confirmation }
      const answered = await this.#sessions.change(id, (record) => state.answerAttempt(record, joinId, confirmations))
      if (!answered) throw new LocalSendError('ATTEMPT_ENDED')
      return { joinId, kind: session.kind, token: token.token, share: own.share }
    })
  }

  /**
   * Ends an answered attempt by the joiner's confirmation cA. B checks cA before it reveals cB (section 3).
   * @returns cB and the session that was joined
   * @throws LocalSendError JOIN_REFUSED, ATTEMPT_ENDED, SESSION_FULL, SESSION_CLOSED
   */
  async confirm (id: SessionId, joinId: JoinId, received: Bytes): Promise<{ readonly session: SessionRecord, readonly confirmation: Bytes }> {
    const taken = await this.#sessions.change(id, (record) => state.takeConfirmation(record, joinId, this.#clock()))
    if (taken === undefined) throw new LocalSendError('ATTEMPT_ENDED')
    if (!await equalSecrets(received, taken.expected)) {
      await this.#fail(id, joinId)
      throw new LocalSendError('JOIN_REFUSED')
    }
    return { session: await this.#admit(id, joinId), confirmation: taken.own }
  }

  /** Reserves an attempt, runs it, and sees to it that it ends as a success, a failure or a gift back, whatever happens. */
  async #attempt <Result> (id: SessionId, code: string, tokenHash: string, takesShare: boolean, run: (attempt: Attempt) => Promise<Result>): Promise<Result> {
    const session = await this.#sessions.toJoin(id)
    const codeMatches = await codesMatch(code, session.verificationCode)
    const joinId = newJoinId()
    const request = { id: joinId, codeMatches, tokenHash, takesShare, now: this.#clock() }
    const { outcome, ...noticed } = await this.#sessions.change(id, state.noticing((record) => state.reserveAttempt(record, request)))
    if (outcome.result !== 'reserved') throw tellRefusal(this.#sessions.events, outcome.result, noticed)
    this.#sessions.events.joinRequested(noticed.session, joinId)
    try {
      return await run({ session, joinId, firstShare: outcome.firstShare })
    } catch (error) {
      const guessed = isLocalSendError(error, 'JOIN_REFUSED') || isLocalSendError(error, 'SHARE_REFUSED')
      try {
        await (guessed ? this.#fail(id, joinId) : this.#giveBack(id, joinId, error))
      } catch (ended) {
        throw isLocalSendError(ended, 'SESSION_CLOSED') ? new LocalSendError('SESSION_NOT_FOUND', { cause: error }) : ended
      }
      // A refused share answers like a wrong password (section 3).
      throw guessed ? new LocalSendError('JOIN_REFUSED', { cause: error }) : error
    }
  }

  /**
   * Counts a guess that was wrong.
   * @throws LocalSendError ATTEMPT_ENDED where it came too late, like one that was right
   */
  async #fail (id: SessionId, joinId: JoinId): Promise<void> {
    const { outcome: wasPending, session, locks } = await this.#sessions.change(id, state.noticing((record) => state.failAttempt(record, joinId)))
    if (!wasPending) throw new LocalSendError('ATTEMPT_ENDED')
    this.#sessions.events.joinRefused(session, joinId, 'password')
    if (locks) this.#sessions.events.locked(session)
  }

  async #giveBack (id: SessionId, joinId: JoinId, error: unknown): Promise<void> {
    const { session } = await this.#sessions.change(id, state.noticing((record) => state.giveBackAttempt(record, joinId)))
    // Of an attempt that found no place, those who listen have been told.
    if (!isLocalSendError(error, 'SESSION_FULL')) this.#sessions.events.joinRefused(session, joinId, 'given-up')
  }

  async #admit (id: SessionId, joinId: JoinId): Promise<SessionRecord> {
    const { events } = this.#sessions
    const { outcome, session: changed } = await this.#sessions.change(id, state.noticing((record) => state.admitJoiner(record, joinId, this.#clock())))
    if (outcome === 'joined') events.joined(changed, joinId)
    if (outcome === 'full') {
      events.joinRefused(changed, joinId, 'full')
      throw new LocalSendError('SESSION_FULL')
    }
    const session = await this.#sessions.find(id)
    if (outcome === 'gone' || session === undefined) throw new LocalSendError(outcome === 'gone' ? 'ATTEMPT_ENDED' : 'SESSION_CLOSED')
    await this.#store.touch(id, this.#clock())
    return session
  }
}

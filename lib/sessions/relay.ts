import type { Bytes } from '../crypto/bytes.js'
import { LocalSendError } from '../errors.js'
import type { JoinId, SessionId } from '../ids.js'
import { newJoinId } from '../new-ids.js'
import { noticing, relayAttempt } from './join-attempts.js'
import { tellRefusal } from './join-refusal.js'
import * as state from './relayed-attempts.js'
import type { RelayOutcome } from './relayed-attempts.js'
import type { Acceptance, Changed, SessionRecord } from './session.js'
import type { Sessions } from './sessions.js'
import { codesMatch, newToken } from './tokens.js'

export interface Relayed {
  readonly joinId: JoinId
  /** Opens this attempt, and the session once the creator has accepted it. */
  readonly token: string
}

/**
 * Joining an end-to-end session (protocol local-send/1, section 4): joiner and creator speak SPAKE2 with each other, and the
 * server hands on what they say. It checks the verification code, and counts; of the password it learns nothing.
 */
export class Relay {
  readonly #sessions: Sessions
  readonly #clock: () => number

  /** @param clock - milliseconds since the epoch */
  constructor (sessions: Sessions, clock: () => number = Date.now) {
    this.#sessions = sessions
    this.#clock = clock
  }

  /**
   * Begins an attempt, which the creator is to answer.
   * @throws LocalSendError SESSION_NOT_FOUND, WRONG_KIND, JOIN_REFUSED, ATTEMPTS_PENDING, SESSION_LOCKED, SESSION_FULL
   */
  async join (id: SessionId, code: string, joinerShare: Bytes): Promise<Relayed> {
    const { events } = this.#sessions
    const session = await this.#sessions.toJoin(id)
    if (session.kind !== 'end-to-end') throw new LocalSendError('WRONG_KIND')
    const { token, hash: tokenHash } = await newToken()
    const request = { id: newJoinId(), codeMatches: await codesMatch(code, session.verificationCode), tokenHash, now: this.#clock() }
    const { outcome, ...noticed } = await this.#sessions.change(id, noticing((record) => relayAttempt(record, request, joinerShare)))
    if (outcome !== 'reserved') throw tellRefusal(events, outcome, noticed)
    events.joinRequested(noticed.session, request.id)
    return { joinId: request.id, token }
  }

  /**
   * Hands the creator's share on.
   * @throws LocalSendError WRONG_KIND, ATTEMPT_NOT_FOUND, ATTEMPT_ENDED, SESSION_CLOSED
   */
  async respond (id: SessionId, joinId: JoinId, share: Bytes): Promise<void> {
    done(await this.#sessions.change(id, inEndToEnd((record) => state.answerRelayed(record, joinId, share, this.#clock()))))
    this.#sessions.events.joinWentOn(id, joinId, 'answered')
  }

  /**
   * Hands the joiner's confirmation on. One ends the attempt, whatever it is worth: the creator decides.
   * @throws LocalSendError WRONG_KIND, ATTEMPT_NOT_FOUND, ATTEMPT_ENDED, SESSION_CLOSED
   */
  async confirm (id: SessionId, joinId: JoinId, confirmation: Bytes): Promise<void> {
    done(await this.#sessions.change(id, inEndToEnd((record) => state.confirmRelayed(record, joinId, confirmation, this.#clock()))))
    this.#sessions.events.joinWentOn(id, joinId, 'confirmed')
  }

  /**
   * Lets the joiner in.
   * @throws LocalSendError WRONG_KIND, ATTEMPT_NOT_FOUND, ATTEMPT_ENDED, SESSION_FULL, SESSION_CLOSED
   */
  async accept (id: SessionId, joinId: JoinId, acceptance: Acceptance): Promise<void> {
    const { events } = this.#sessions
    const { outcome, session } = await this.#sessions.change(id, noticing(inEndToEnd((record) => state.acceptRelayed(record, joinId, acceptance, this.#clock()))))
    if (outcome === 'full') events.joinRefused(session, joinId, 'full')
    done(outcome)
    events.joined(session, joinId)
  }

  /**
   * Refuses the joiner, and counts a failure.
   * @throws LocalSendError WRONG_KIND, ATTEMPT_NOT_FOUND, ATTEMPT_ENDED, SESSION_CLOSED
   */
  async reject (id: SessionId, joinId: JoinId): Promise<void> {
    const { outcome, session, locks } = await this.#sessions.change(id, noticing(inEndToEnd((record) => state.rejectRelayed(record, joinId, this.#clock()))))
    done(outcome)
    this.#sessions.events.joinRefused(session, joinId, 'rejected')
    if (locks) this.#sessions.events.locked(session)
  }
}

/** The same change, which leaves a managed session as it is. */
const inEndToEnd = <Outcome>(change: (record: SessionRecord) => Changed<Outcome>) => (record: SessionRecord): Changed<Outcome | 'wrong-kind'> =>
  record.kind === 'end-to-end' ? change(record) : { record, outcome: 'wrong-kind' }

/** @throws LocalSendError unless the step was taken */
function done (outcome: RelayOutcome | 'wrong-kind' | 'full'): void {
  switch (outcome) {
    case 'done': return
    case 'full': throw new LocalSendError('SESSION_FULL')
    case 'wrong-kind': throw new LocalSendError('WRONG_KIND')
    case 'not-found': throw new LocalSendError('ATTEMPT_NOT_FOUND')
    case 'ended': throw new LocalSendError('ATTEMPT_ENDED')
  }
}

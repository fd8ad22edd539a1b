/**
 * The creator's side of joining an end-to-end session (protocol local-send/1, sections 3 and 4, "Attempts").
 *
 *     pending    pA has come: a fresh y, pB goes out
 *     answered   waiting for the joiner
 *     confirmed  cA has come: right → cB and the wrapped content key go out; wrong → a failure, the attempt is refused
 *
 * The server may play every joiner, and is one of those that guess. Invariants: one share and one confirmation for an attempt,
 * whatever the server says of it later; nothing goes out before what it costs has been written down; after five failures no
 * confirmation is looked at any more; nobody is admitted beyond `maxJoiners`. All of it holds across runs.
 */

import { fromBase64url, fromHex, toBase64url, toHex, type Bytes } from '../lib/crypto/bytes.js'
import { verifier, wrapContentKey } from '../lib/crypto/keys.js'
import { deriveW, type DeriveW } from '../lib/crypto/password.js'
import { confirmationMatches, passwordElement, responderHandshake, responderShare, type Handshake, type PasswordElement } from '../lib/crypto/spake2.js'
import { isLocalSendError } from '../lib/errors.js'
import type { JoinId } from '../lib/ids.js'
import type { Attempt } from './answers.js'
import type { Api } from './api.js'
import { ClientError, isClientError, isSessionGone, isTransient, toClientError } from './errors.js'
import { backoff, events, type SessionEvent } from './events.js'
import type { Admission, HostState } from './host-state.js'
import { pause, type Connection, type Options } from './http.js'
import { JOINER_PATIENCE } from './join.js'
import { apiOf, type Member } from './session.js'

/** Wrong confirmations after which the creator answers no more. */
export const MAX_FAILURES = 5
/** Attempts that are answered in all: the joiners that a server makes up cost a derivation each, and a place in the state. */
const MAX_ANSWERED = 500

/**
 * Why somebody was not let in: a wrong confirmation or share; all places taken; answered by an earlier run. `gone`: he has a place, and
 * is not there; whether he was ever let in is not known.
 */
export type Refusal = 'password' | 'full' | 'lapsed' | 'gone'

/** What {@link hostJoins} takes. Callbacks are called in the order of what happens and must not throw. */
export interface HostOptions extends Options {
  /** As it was given to `createSession`. */
  readonly password: string
  /** For callers who need w for something else too, and want it derived once. */
  readonly derive?: DeriveW | undefined
  /** Of the last run; `newHostState()` for a new session. */
  readonly state: HostState
  /** Writes the state down. Nothing secret leaves before it resolves; if it rejects, so does {@link hostJoins}. */
  readonly onState: (state: HostState) => Promise<void>
  readonly onRequested?: (attempt: { readonly joinId: JoinId }) => void
  /** `verifier` is for people who compare it by voice: `xxxx xxxx xxxx xxxx`. */
  readonly onJoined?: (joined: { readonly joinId: JoinId, readonly verifier: string }) => void
  readonly onRefused?: (refused: { readonly joinId: JoinId, readonly reason: Refusal }) => void
  /** Nobody is answered any more: `guesses` for good, after five failures here; `server` until `unlock`, if the server says so. */
  readonly onLocked?: (by: 'guesses' | 'server') => void
  /** Every event of the session: who hosts joins needs no stream of events of his own. Browsers open few connections to a server. */
  readonly onEvent?: (event: SessionEvent) => void
}

/**
 * Answers those who join, until the signal fires: then it resolves. Connections that break and restarts of the server are
 * waited out.
 *
 * @throws ClientError SESSION_NOT_FOUND when the session is gone; UNEXPECTED_KIND for a managed session; PASSWORD_INVALID;
 *   TOO_MANY_ATTEMPTS; BAD_ANSWER
 */
export async function hostJoins (connection: Connection, member: Member, options: HostOptions): Promise<void> {
  const { contentKey, sessionId } = member
  if (member.kind !== 'end-to-end' || contentKey === undefined) throw new ClientError('UNEXPECTED_KIND')
  const { password, derive = deriveW, signal } = options
  try {
    const element = passwordElement(await derive(password, sessionId))
    const host = new Host(apiOf(connection, member), member, { contentKey, element }, options)
    for await (const event of events(connection, member, { signal })) {
      options.onEvent?.(event)
      if (event.type === 'session.locked') options.onLocked?.('server')
      if (event.type === 'session.closed') throw new ClientError('SESSION_NOT_FOUND')
      if (event.type === 'reset' || event.type === 'join.requested' || event.type === 'join.confirmed') await host.catchUp()
    }
  } catch (error) {
    if (signal?.aborted === true) return
    throw isSessionGone(error) ? new ClientError('SESSION_NOT_FOUND', { cause: error }) : toClientError(error)
  }
}

interface Secrets {
  readonly contentKey: Bytes
  readonly element: PasswordElement
}

/** An attempt that this run has answered. */
interface Answered {
  readonly share: Bytes
  readonly handshake: Handshake
  /** What becomes of it, from when its confirmation is looked at: that happens once, even where it ends in a failure to write. */
  decision?: Promise<Decision>
}

type Decision = 'admit' | Refusal

class Host {
  readonly #api: Api
  readonly #member: Member
  readonly #secrets: Secrets
  readonly #options: HostOptions
  readonly #answered = new Map<JoinId, Answered>()
  readonly #refused = new Set<JoinId>()
  /** Of whom the caller knows that they are in. */
  readonly #told = new Set<JoinId>()
  #state: HostState

  constructor (api: Api, member: Member, secrets: Secrets, options: HostOptions) {
    this.#api = api
    this.#member = member
    this.#secrets = secrets
    this.#options = options
    this.#state = options.state
    if (this.#locked) options.onLocked?.('guesses')
  }

  get #signal (): Options {
    return { signal: this.#options.signal }
  }

  get #locked (): boolean {
    return this.#state.failures >= MAX_FAILURES
  }

  get #full (): boolean {
    return this.#state.joined.length >= this.#member.limits.maxJoiners
  }

  /** Looks at all attempts and does what each of them waits for; again, until the server has taken it. */
  async catchUp (): Promise<void> {
    const { signal } = this.#signal
    for (let failures = 0; ; failures++) {
      try {
        const attempts = await this.#api.attempts({ signal })
        for (const attempt of attempts) await this.#step(attempt)
        for (const { joinId } of this.#state.admitting ?? []) await this.#check(joinId, attempts)
        return
      } catch (error) {
        signal?.throwIfAborted()
        if (!isTransient(error)) throw error
        const asked = isClientError(error) ? (error.retryAfter ?? 0) * 1000 : 0
        await pause(Math.max(backoff(failures), Math.min(asked, 60_000)), signal)
      }
    }
  }

  async #step (attempt: Attempt): Promise<void> {
    if (attempt.status === 'pending') await this.#answer(attempt)
    if (attempt.status === 'confirmed') await this.#decide(attempt)
  }

  /** What has become of somebody who was being let in. Who is not listed any more has left. */
  async #check (id: JoinId, attempts: readonly Attempt[]): Promise<void> {
    const status = attempts.find(({ joinId }) => joinId === id)?.status
    if (status === 'joined') await this.#tell(id)
    else if (status === undefined || status === 'rejected' || status === 'expired') await this.#lose(id)
  }

  /** Sends a share, fresh for this attempt and the same one if it has to be sent again. */
  async #answer ({ joinId, publicKey }: Attempt): Promise<void> {
    const known = this.#answered.get(joinId)
    if (known !== undefined) return this.#respond(joinId, known.share)
    // What an earlier run answered can only lapse: its y is gone, and another share for it there must not be.
    if (this.#refused.has(joinId)) return this.#refuse(joinId, 'password')
    if (this.#locked || this.#full || this.#state.answered.includes(joinId)) return
    if (this.#state.answered.length >= MAX_ANSWERED) throw new ClientError('TOO_MANY_ATTEMPTS')
    this.#options.onRequested?.({ joinId })
    const own = responderShare(this.#secrets.element)
    const handshake = await this.#handshake(own, publicKey)
    if (handshake === undefined) return this.#fail(joinId)
    await this.#write({ answered: [...this.#state.answered, joinId] })
    this.#answered.set(joinId, { share: own.share, handshake })
    await this.#respond(joinId, own.share)
  }

  /** `undefined` for a share that must not be accepted. */
  async #handshake (own: ReturnType<typeof responderShare>, peer: Bytes | undefined): Promise<Handshake | undefined> {
    if (peer === undefined) throw new ClientError('BAD_ANSWER', { detail: 'What is wrong: public_key of a pending attempt.' })
    const { kind, sessionId: sid } = this.#member
    try {
      return await responderHandshake({ kind, sid, element: this.#secrets.element, own, peer })
    } catch (error) {
      if (isLocalSendError(error, 'SHARE_REFUSED')) return undefined
      throw error
    }
  }

  async #respond (joinId: JoinId, share: Bytes): Promise<void> {
    await unlessEnded(this.#api.respond(joinId, share, this.#signal))
  }

  /** Looks at the first confirmation that comes for an attempt, and at no other. */
  async #decide ({ joinId, confirmation }: Attempt): Promise<void> {
    if (this.#told.has(joinId)) return
    const answered = this.#answered.get(joinId)
    if (answered !== undefined) {
      answered.decision ??= this.#judge(joinId, answered.handshake, confirmation)
      const decision = await answered.decision
      if (decision !== 'admit') return this.#refuse(joinId, decision)
    }
    const admission = this.#admissionOf(joinId)
    await (admission === undefined ? this.#refuse(joinId, 'lapsed') : this.#admit(admission))
  }

  /** B checks cA before it reveals cB (section 3), and what a wrong one costs is written down before anybody is told. */
  async #judge (joinId: JoinId, handshake: Handshake, confirmation: Bytes | undefined): Promise<Decision> {
    if (confirmation === undefined) throw new ClientError('BAD_ANSWER', { detail: 'What is wrong: confirmation of a confirmed attempt.' })
    if (this.#locked) return 'password'
    if (this.#full) return 'full'
    if (!await confirmationMatches(handshake.expectedConfirmation, confirmation)) {
      await this.#count()
      return 'password'
    }
    const { joined, admitting = [] } = this.#state
    await this.#write({ joined: [...joined, joinId], admitting: [...admitting, await this.#admission(joinId, handshake)] })
    return 'admit'
  }

  async #admission (joinId: JoinId, { confirmation, sessionKey }: Handshake): Promise<Admission> {
    const { sessionId } = this.#member
    const wrappedKey = await wrapContentKey(sessionKey, sessionId, this.#secrets.contentKey)
    return { joinId, confirmation: toHex(confirmation), wrappedKey: toBase64url(wrappedKey), verifier: await verifier(sessionKey, sessionId), since: Date.now() }
  }

  #admissionOf (id: JoinId): Admission | undefined {
    return this.#state.admitting?.find(({ joinId }) => joinId === id)
  }

  async #admit ({ joinId, confirmation, wrappedKey, since }: Admission): Promise<void> {
    if (Date.now() - since > JOINER_PATIENCE) return this.#lose(joinId)
    if (await unlessEnded(this.#api.accept(joinId, fromHex(confirmation), fromBase64url(wrappedKey), this.#signal))) return this.#tell(joinId)
    // The server had it already, or the attempt ended before.
    await this.#check(joinId, await this.#api.attempts(this.#signal))
  }

  /** Somebody is in: what is needed to try it again is not kept. */
  async #tell (joinId: JoinId): Promise<void> {
    const admission = this.#admissionOf(joinId)
    if (admission === undefined) return
    this.#told.add(joinId)
    this.#options.onJoined?.({ joinId, verifier: admission.verifier })
    await this.#decided(joinId)
  }

  /** Somebody has a place, and is not there. What could let him in may have gone out: the place stays taken. */
  async #lose (joinId: JoinId): Promise<void> {
    await this.#refuse(joinId, 'gone')
    await this.#decided(joinId)
  }

  async #decided (id: JoinId): Promise<void> {
    await this.#write({ admitting: this.#state.admitting?.filter(({ joinId }) => joinId !== id) ?? [] })
  }

  async #fail (joinId: JoinId): Promise<void> {
    await this.#count()
    await this.#refuse(joinId, 'password')
  }

  async #count (): Promise<void> {
    await this.#write({ failures: this.#state.failures + 1 })
    if (this.#locked) this.#options.onLocked?.('guesses')
  }

  async #refuse (joinId: JoinId, reason: Refusal): Promise<void> {
    const isNew = !this.#refused.has(joinId)
    this.#refused.add(joinId)
    if (isNew) this.#options.onRefused?.({ joinId, reason })
    await unlessEnded(this.#api.reject(joinId, this.#signal))
  }

  /** In memory first: if writing fails, this run ends, and must not have forgotten. */
  async #write (changes: Partial<HostState>): Promise<void> {
    this.#state = { ...this.#state, ...changes }
    await this.#options.onState(this.#state)
  }
}

/** Whether the server took it; `false` if the attempt had ended before. */
async function unlessEnded (call: Promise<void>): Promise<boolean> {
  try {
    await call
    return true
  } catch (error) {
    if (isClientError(error, 'ATTEMPT_ENDED', 'ATTEMPT_NOT_FOUND', 'SESSION_FULL')) return false
    throw error
  }
}

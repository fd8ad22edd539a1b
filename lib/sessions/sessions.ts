import type { Bytes } from '../crypto/bytes.js'
import { newContentKey } from '../crypto/keys.js'
import { preparePassword } from '../crypto/password.js'
import { passwordElement, responderShare, type SessionKind } from '../crypto/spake2.js'
import type { Draining } from '../draining.js'
import { LocalSendError } from '../errors.js'
import type { JoinId, SessionId } from '../ids.js'
import { newSessionId } from '../new-ids.js'
import type { EndReason } from '../service-events.js'
import type { PasswordStretching } from './password-stretching.js'
import { attemptsWithToken, leave, noticing, unlock } from './join-attempts.js'
import type { SessionEvents } from './session-events.js'
import * as state from './session.js'
import type { Changed, ParticipantId, Role, SessionLimits, SessionRecord, SessionSecrets } from './session.js'
import type { SessionStore } from './store.js'
import { findHolder, hashToken, newToken, newVerificationCode, type IssuedToken } from './tokens.js'
import type { Transfers } from './transfers.js'

/** Who a valid token belongs to. */
export type Caller =
  | { readonly role: Role, readonly id: ParticipantId, readonly session: SessionRecord }
  | { readonly role: 'pending', readonly id: JoinId, readonly session: SessionRecord }

export interface SessionSettings {
  readonly limits: Omit<SessionLimits, 'maxJoiners' | 'maxDownloads'>
  /** The largest `maxJoiners` that create may ask for. */
  readonly maxJoiners: number
  readonly maxSessions: number
  /** Milliseconds. */
  readonly idleTimeout: number
  /** Milliseconds. */
  readonly maxAge: number
}

export interface CreateOptions {
  readonly maxJoiners?: number | undefined
  readonly maxDownloads?: number | undefined
  /** Milliseconds. */
  readonly expiresIn?: number | undefined
}

export interface Created {
  readonly session: SessionRecord
  readonly token: string
}

export interface ManagedCreated extends Created {
  /** The responder's share, which the first attempt with a share gets. */
  readonly share: Bytes
}

interface Dependencies {
  readonly store: SessionStore
  readonly transfers: Transfers
  readonly events: SessionEvents
  readonly stretching: PasswordStretching
  readonly draining: Draining
  readonly settings: SessionSettings
  /** Milliseconds since the epoch. */
  readonly clock?: () => number
}

/** What has to be done when a session has ended and its key is gone: removing its files. */
type EndListener = (session: SessionRecord) => Promise<void>
/** What else is to be done when the sweeper comes by. */
type SweepListener = (now: number) => Promise<void>

/** Milliseconds by which the moment of last use may lag: not every request of a busy session writes it. */
const TOUCH_INTERVAL = 1000

/**
 * Sessions from create to their end (protocol local-send/1, section 4): who may use one, what changes it, what happens when
 * it ends. Joining is `Joins`.
 */
export class Sessions {
  readonly transfers: Transfers
  readonly events: SessionEvents
  readonly #store: SessionStore
  readonly #draining: Draining
  readonly #settings: SessionSettings
  readonly #clock: () => number
  readonly #stretching: PasswordStretching
  readonly #endListeners: EndListener[] = []
  readonly #sweepListeners: SweepListener[] = []

  constructor ({ store, transfers, events, stretching, draining, settings, clock = Date.now }: Dependencies) {
    this.#store = store
    this.transfers = transfers
    this.events = events
    this.#stretching = stretching
    this.#draining = draining
    this.#settings = settings
    this.#clock = clock
  }

  /** Registers what is to be done with a session's files when it ends. */
  onEnd (listener: EndListener): void {
    this.#endListeners.push(listener)
  }

  /** Registers what is to be done whenever expired sessions are looked for. */
  onSweep (listener: SweepListener): void {
    this.#sweepListeners.push(listener)
  }

  /**
   * Creates a managed session.
   * @throws LocalSendError PASSWORD_INVALID, INVALID_REQUEST (more joiners than allowed), SERVER_BUSY, SERVER_FULL, SERVER_DRAINING
   */
  async createManaged (password: string, options: CreateOptions, signal: AbortSignal): Promise<ManagedCreated> {
    preparePassword(password)
    this.#checkOptions(options)
    for (;;) {
      const id = newSessionId()
      const element = passwordElement(await this.#stretching.derive(password, id, signal))
      const firstShare = responderShare(element)
      const created = await this.#add(id, 'managed', options, { contentKey: newContentKey(), element, firstShare })
      if (created !== undefined) return { ...created, share: firstShare.share }
    }
  }

  /**
   * Creates an end-to-end session, of which the server knows no secret.
   * @throws LocalSendError INVALID_REQUEST (more joiners than allowed), SERVER_FULL, SERVER_DRAINING
   */
  async createEndToEnd (options: CreateOptions): Promise<Created> {
    this.#checkOptions(options)
    for (;;) {
      const created = await this.#add(newSessionId(), 'end-to-end', options, null)
      if (created !== undefined) return created
    }
  }

  #checkOptions ({ maxJoiners = 1 }: CreateOptions): void {
    this.#draining.check()
    const most = this.#settings.maxJoiners
    if (maxJoiners > most) throw new LocalSendError('INVALID_REQUEST', { detail: `max_joiners may be at most ${most} on this server.` })
  }

  /** @returns `undefined` where another session has this id */
  async #add (id: SessionId, kind: SessionKind, options: CreateOptions, secrets: SessionSecrets | null): Promise<Created | undefined> {
    const token = await newToken()
    const session = this.#newRecord(id, kind, options, token, secrets)
    const added = await this.#store.add(session, this.#settings.maxSessions)
    if (added === 'full') throw new LocalSendError('SERVER_FULL', { retryAfter: 60 })
    if (added === 'taken') return undefined
    this.events.created(session)
    return { session, token: token.token }
  }

  #newRecord (id: SessionId, kind: SessionKind, options: CreateOptions, token: IssuedToken, secrets: SessionSecrets | null): SessionRecord {
    const { limits, idleTimeout, maxAge } = this.#settings
    const now = this.#clock()
    return {
      id,
      kind,
      createdAt: now,
      lastUsedAt: now,
      idleTimeout,
      endsAt: now + Math.min(maxAge, options.expiresIn ?? maxAge),
      verificationCode: newVerificationCode(),
      limits: { ...limits, maxJoiners: options.maxJoiners ?? 1, maxDownloads: options.maxDownloads ?? null },
      creatorTokenHash: token.hash,
      joiners: [],
      pending: [],
      relayed: [],
      wrongCodes: 0,
      wrongPasswords: 0,
      files: [],
      uploads: [],
      filesAdded: 0,
      secrets
    }
  }

  /** A session that has not expired; `undefined` otherwise. */
  async find (id: SessionId): Promise<SessionRecord | undefined> {
    const record = await this.#store.get(id)
    return record === undefined || state.isExpired(record, this.#clock()) ? undefined : record
  }

  /**
   * The session that somebody wants to join. That there is one is no secret.
   * @throws LocalSendError SESSION_NOT_FOUND
   */
  async toJoin (id: SessionId): Promise<SessionRecord> {
    const session = await this.find(id)
    if (session === undefined) {
      this.events.notFound(id)
      throw new LocalSendError('SESSION_NOT_FOUND')
    }
    return session
  }

  /**
   * Whose token this is in this session; `undefined` if it is nobody's.
   * @param isUse - whether it counts as use of the session
   */
  async authenticate (id: SessionId, token: string, isUse = true): Promise<Caller | undefined> {
    const hash = await hashToken(token)
    const session = await this.find(id)
    if (hash === undefined || session === undefined) return undefined
    const now = this.#clock()
    const holder = await findHolder<{ tokenHash: string, caller: Caller }>(hash, [
      ...(session.creatorTokenHash === null ? [] : [{ tokenHash: session.creatorTokenHash, caller: { role: 'creator', id: 'creator', session } as const }]),
      ...session.joiners.map(({ id, tokenHash }) => ({ tokenHash, caller: { role: 'joiner', id, session } as const })),
      ...attemptsWithToken(session, now).map(({ id, tokenHash }) => ({ tokenHash, caller: { role: 'pending', id, session } as const }))
    ])
    if (isUse && holder !== undefined && now - session.lastUsedAt >= TOUCH_INTERVAL) await this.#store.touch(id, now)
    return holder?.caller
  }

  /**
   * The session as it is now, for who has just begun a transfer: what ended between the check of their token and that did not
   * abort it.
   * @throws LocalSendError SESSION_CLOSED where the session has ended, or the participant has left it
   */
  async stillIn (id: SessionId, participant: ParticipantId): Promise<SessionRecord> {
    const session = await this.find(id)
    if (session === undefined || !state.isParticipant(session, participant)) throw new LocalSendError('SESSION_CLOSED')
    return session
  }

  /**
   * Gives the session a new verification code.
   * @throws LocalSendError SESSION_LOCKED where too many failures came from behind a right code
   */
  async unlock (id: SessionId): Promise<string> {
    const code = newVerificationCode()
    const { outcome, session } = await this.change(id, noticing((record) => unlock(record, code)))
    if (outcome === 'locked') throw new LocalSendError('SESSION_LOCKED')
    this.events.unlocked(session)
    return code
  }

  /** Takes a participant's token away and aborts what was under way with it. */
  async leave (id: SessionId, participant: ParticipantId): Promise<void> {
    const { session } = await this.change(id, noticing((record) => leave(record, participant)))
    this.events.left(session, participant)
    this.transfers.abort(id, participant)
  }

  /**
   * Ends a session: its key goes first, then whatever is under way, then its files. Ending it twice does nothing.
   * @returns whether there was one
   */
  async close (id: SessionId, reason: EndReason = 'closed'): Promise<boolean> {
    const session = await this.#store.delete(id)
    if (session === undefined) return false
    session.secrets?.contentKey.fill(0)
    session.secrets?.element.w.fill(0)
    this.transfers.abort(id)
    this.events.ended(session, reason, this.#clock())
    await Promise.all(this.#endListeners.map((listener) => listener(session)))
    return true
  }

  /**
   * Ends the sessions that have expired. A session with a transfer under way counts as in use.
   * @returns how many ended
   */
  async sweep (): Promise<number> {
    const now = this.#clock()
    for (const id of new Set(this.transfers.sessions())) {
      await this.#store.touch(id, now)
      // Of an end in another instance, word may have been lost.
      if (await this.find(id) === undefined) this.transfers.abort(id)
    }
    const expired = await this.#store.expired(now)
    await Promise.all(expired.map((id) => this.close(id, 'expired')))
    for (const listener of this.#sweepListeners) await listener(now)
    return expired.length
  }

  /** The sessions with files whose own time is over. */
  async withEndedFiles (now: number): Promise<readonly SessionRecord[]> {
    return await this.#store.withEndedFiles(now)
  }

  /** All sessions, also those that have expired and are not swept yet. */
  all (): AsyncIterable<SessionRecord> {
    return this.#store.all()
  }

  /** Ends the sessions that end with this process. */
  async closeAll (): Promise<void> {
    await Promise.all((await this.#store.volatileIds()).map((id) => this.close(id, 'stopped')))
  }

  /**
   * Applies a change of `session.ts` or `session-files.ts` atomically.
   * @throws LocalSendError SESSION_CLOSED where the session is gone
   */
  async change <Outcome> (id: SessionId, change: (record: SessionRecord) => Changed<Outcome>): Promise<Outcome> {
    const changed = await this.#store.update(id, change)
    if (changed === undefined) throw new LocalSendError('SESSION_CLOSED')
    return changed.outcome
  }
}

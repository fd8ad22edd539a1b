/**
 * Going on with what a tab was sending that is gone: which of its files are needed, until they are there or their user goes on
 * without them.
 *
 * Invariant: whoever receives is told that this was all only when all was sent, or what was not is taken back by its sender's own
 * choice.
 */

import { signal } from '@preact/signals'
import type { ListedFile } from '../../client/answers.js'
import type { Code } from '../../client/code.js'
import { MARK_KEY } from '../../client/completion-mark.js'
import { derivingOnce } from '../../client/derive-once.js'
import { ClientError, isSessionGone } from '../../client/errors.js'
import { events, type SessionEvent } from '../../client/events.js'
import { hostJoins } from '../../client/host.js'
import { admitted } from '../../client/host-state.js'
import type { SendEntry } from '../../client/journal.js'
import { keepAlive } from '../../client/keep-alive.js'
import { allFiles } from '../../client/list.js'
import { apiOf, type Connection } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import type { FileId, SessionId } from '../../lib/ids.js'
import { KeptSending } from '../kept/kept-sending.js'
import type { Owner } from '../kept/kept-session.js'
import { byName, matchOf, sentSource, wholeSourceOf, type KeptSource } from '../kept/kept-source.js'
import { holdLock, isFree } from '../kept/tab-lock.js'
import { ProblemError } from './problem.js'
import { Sending, type EarlierSending } from './sending.js'

/** What is known of one source when another tab takes it up. */
interface Known {
  readonly kept: KeptSource
  readonly entry: SendEntry | undefined
  /** As the server lists it. */
  readonly listed: ListedFile | undefined
}

/** What is known of all of it. */
interface Found {
  readonly known: readonly Known[]
  /** What the server has from this side, and the journal has not: nobody can go on with it. */
  readonly orphans: readonly FileId[]
  /** Whether nobody else is let in. */
  readonly locked: boolean
}

/** Held while files are chosen: whoever enters the code in another tab meanwhile means this transfer, and would take a place in it. */
const lockOf = (sessionId: SessionId): string => `choosing-${sessionId}`

/** Whether another tab of this browser is about to go on sending. */
export const isChosenElsewhere = async (sessionId: SessionId): Promise<boolean> => !await isFree(lockOf(sessionId))

/** Milliseconds that a server may take to say what it has. */
const PATIENCE = 30_000

type Secret = Pick<EarlierSending, 'kept' | 'passphrase' | 'derive'>

/** One act of sending that was interrupted. */
export class GoingOn {
  /** The files that have to be chosen again. */
  readonly missing = signal<readonly KeptSource[]>([])
  /** How many were chosen last that are none of them. */
  readonly strangers = signal(0)
  /** How many are in. */
  readonly joined = signal(0)
  /** When the session has ended meanwhile; otherwise never. */
  readonly ended: Promise<void>
  readonly #connection: Connection
  readonly #secret: Secret
  readonly #known: readonly Known[]
  readonly #orphans: readonly FileId[]
  readonly #hosting: Promise<void>
  /** Aborted when this is. */
  readonly #over: AbortController
  readonly #sources = new Map<string, Source>()
  readonly #received: Set<FileId>
  #locked: boolean

  private constructor (connection: Connection, secret: Secret, { known, orphans, locked }: Found, over: AbortController) {
    this.#connection = connection
    this.#secret = secret
    this.#over = over
    this.#received = new Set(known.flatMap(({ listed }) => listed !== undefined && listed.received > 0 ? [listed.fileId] : []))
    this.#known = known
    this.#orphans = orphans
    this.#locked = locked
    for (const { kept, entry, listed } of known) {
      const source = entry !== undefined && (entry.done || listed?.state === 'ready') ? sentSource(kept, entry.record) : wholeSourceOf(kept)
      if (source !== undefined) this.#sources.set(kept.key, source)
    }
    this.#look()
    this.joined.value = admitted(secret.kept.state.host).length
    this.#hosting = this.#meet()
    this.ended = new Promise((resolve) => { this.#hosting.catch((error: unknown) => { if (isSessionGone(error)) resolve() }) })
    void keepAlive(connection, secret.kept.member, { signal: over.signal })
  }

  /**
   * Takes up what is kept under a code.
   *
   * @throws ProblemError KEPT_ELSEWHERE, KEPT_SEALED; SESSION_CLOSED if it has ended meanwhile, and then it is kept no longer.
   *   ClientError PASSWORD_MISSING for a code without words; NETWORK
   */
  static async open (connection: Connection, { sessionId, passphrase }: Code): Promise<GoingOn> {
    if (passphrase === undefined) throw new ClientError('PASSWORD_MISSING')
    const over = new AbortController()
    void holdLock(lockOf(sessionId), over.signal)
    try {
      return await GoingOn.#open(connection, { sessionId, passphrase }, over)
    } catch (error) {
      over.abort()
      throw error
    }
  }

  static async #open (connection: Connection, { sessionId, passphrase }: Pick<Owner, 'sessionId' | 'passphrase'>, over: AbortController): Promise<GoingOn> {
    const derive = derivingOnce()
    const kept = await KeptSending.open({ sessionId, passphrase, derive })
    try {
      return new GoingOn(connection, { kept, passphrase, derive }, await findInTime(connection, kept), over)
    } catch (error) {
      if (!isSessionGone(error)) {
        await kept.keep()
        throw error
      }
      await kept.remove()
      throw new ProblemError({ code: 'SESSION_CLOSED' }, { cause: error })
    }
  }

  /** How many may be. */
  get receivers (): number {
    return this.#secret.kept.state.receivers
  }

  /** Whether there is anything to go on with. */
  get hasSome (): boolean {
    return this.#sources.size > 0
  }

  /** Takes those of the files that are needed. */
  take (sources: readonly Source[]): void {
    const wanted = byName(this.#known.map(({ kept }) => kept))
    let strangers = 0
    for (const source of sources) {
      const named = wanted.get(source.name)
      const match = named && matchOf(named.filter(({ key }) => !this.#sources.has(key)), source)
      if (named === undefined) strangers += 1
      else if (match !== undefined) this.#sources.set(match.key, { ...source, key: match.key })
    }
    this.#look()
    this.strangers.value = strangers
  }

  /** Sending, with all that is there, and without what is missing. */
  begin (): Sending {
    this.#over.abort()
    const begun = new Map<Source, number>()
    const leftOut = [...this.#orphans]
    for (const { kept: { key }, entry, listed } of this.#known) {
      const source = this.#sources.get(key)
      if (source !== undefined) begun.set(source, entry?.done === true ? source.size ?? 0 : bytesOf(source, listed))
      else if (entry !== undefined) leftOut.push(entry.record.fileId)
    }
    const { member: { kind }, state: { receivers } } = this.#secret.kept
    return new Sending(this.#connection, [...begun.keys()], { kind, receivers, expiresIn: undefined }, { ...this.#secret, begun, received: this.#received, leftOut, locked: this.#locked, hosting: this.#hosting.catch(() => undefined) })
  }

  /** Sees who joins while files are chosen. @throws what ends that before this is over */
  async #meet (): Promise<void> {
    if (this.missing.value.length === 0) return
    await (this.#secret.kept.member.kind === 'managed' ? this.#watch() : this.#host())
  }

  /** Answers those who join meanwhile. @throws ClientError as `hostJoins`; but for an end of the session, who sends on finds out */
  async #host (): Promise<void> {
    const { kept, passphrase: password, derive } = this.#secret
    await hostJoins(this.#connection, kept.member, {
      password,
      derive,
      state: kept.state.host,
      onState: (host) => kept.writeHost(host),
      onJoined: ({ verifier }) => {
        this.joined.value += 1
        kept.addVerifier(verifier).catch(() => undefined)
      },
      onLocked: () => { this.#locked = true },
      onEvent: (event) => { this.#onEvent(event) },
      signal: this.#over.signal
    })
  }

  /** Sees who is let in by a server that encrypts. @throws ClientError SESSION_CLOSED, and what breaks the stream of events for good */
  async #watch (): Promise<void> {
    const { kept } = this.#secret
    for await (const event of events(this.#connection, kept.member, { signal: this.#over.signal })) {
      if (event.type === 'session.closed') throw new ClientError('SESSION_CLOSED')
      if (event.type === 'session.locked') this.#locked = true
      if (event.type === 'join.joined') {
        const { host } = kept.state
        const joined = [...new Set([...host.joined, event.joinId])]
        this.joined.value = joined.length
        await kept.writeHost({ ...host, joined })
      }
      this.#onEvent(event)
    }
  }

  #onEvent (event: SessionEvent): void {
    if (event.type === 'file.received') this.#received.add(event.fileId)
  }

  #look (): void {
    this.missing.value = this.#known.map(({ kept }) => kept).filter(({ key }) => !this.#sources.has(key))
  }
}

/** What can be found. @throws ClientError NETWORK where the server does not answer */
async function findInTime (connection: Connection, kept: KeptSending): Promise<Found> {
  const signal = AbortSignal.timeout(PATIENCE)
  try {
    return await find(connection, kept, signal)
  } catch (error) {
    throw signal.aborted ? new ClientError('NETWORK', { cause: error }) : error
  }
}

/** What the journal and the server's list say. */
async function find (connection: Connection, { member, state, journal }: KeptSending, signal: AbortSignal): Promise<Found> {
  const api = apiOf(connection, member)
  // A server that is away is not waited for, as the list would be.
  const { status } = await api.status({ signal })
  const listed = new Map<FileId, ListedFile>()
  for await (const file of allFiles(api, signal)) if (file.uploadedBy === member.role) listed.set(file.fileId, file)
  const orphans = new Set(listed.keys())
  const load = async (key: string): Promise<SendEntry | undefined> => {
    const entry = await journal?.load(key)
    if (entry !== undefined) orphans.delete(entry.record.fileId)
    return entry
  }
  await load(MARK_KEY)
  const known = await Promise.all(state.sources.map(async (kept) => {
    const entry = await load(kept.key)
    return { kept, entry, listed: entry && listed.get(entry.record.fileId) }
  }))
  return { known, orphans: [...orphans], locked: status === 'locked' }
}

/** Bytes of a source that the server has, about: its own are those of a container. */
const bytesOf = ({ size }: Source, listed: ListedFile | undefined): number =>
  listed?.size == null || listed.size === 0 ? 0 : Math.floor((size ?? 0) * listed.offset / listed.size)

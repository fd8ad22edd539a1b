/**
 * Sessions that can be gone on with after their tab has gone: closed, loaded again, killed by a browser or a phone that needed
 * the memory.
 *
 * Invariant: what opens a session or says what it is about is sealed under its passphrase, which is kept nowhere: whoever wants
 * to go on types the code again. Only the session's id, its role, and which files go with it are there to be read.
 */

import type { DeriveW } from '../../lib/crypto/password.js'
import { utf8 } from '../../lib/crypto/bytes.js'
import { toClientError } from '../../client/errors.js'
import { Sealing } from '../../client/sealing.js'
import { ProblemError } from '../transfer/problem.js'
import { database, rangeOf, type KeptName } from './database.js'
import { removeFiles, type TabFiles } from './tab-folder.js'
import { isFree, takeLock } from './tab-lock.js'

export type { KeptName } from './database.js'

/** Whose it is. */
export interface Owner extends KeptName {
  readonly passphrase: string
  readonly derive: DeriveW
}

/** Milliseconds for which a session that nobody goes on with is kept, from when a tab was last there. */
const KEPT = 86_400_000
/** Milliseconds after which a tab says that it is still there. */
const SIGN_OF_LIFE = KEPT / 24
/** What the state is sealed for. */
const PLACE = 'session'

const lockOf = ({ sessionId, role }: KeptName): string => `kept-${sessionId}-${role}`

/** A session that this tab keeps. */
export class KeptSession<State extends object> {
  readonly name: KeptName
  readonly sealing: Sealing
  readonly #release: () => void
  #timer: ReturnType<typeof setInterval> | undefined
  #last: Promise<void> = Promise.resolve()
  #removal: Promise<void> | undefined

  private constructor (name: KeptName, sealing: Sealing, release: () => void) {
    this.name = name
    this.sealing = sealing
    this.#release = release
  }

  /** Begins to keep a session. @returns `undefined` where nothing can be kept: what is interrupted there begins anew */
  static async create<State extends object> (owner: Owner, state: State): Promise<KeptSession<State> | undefined> {
    const { sessionId, role, passphrase, derive } = owner
    const release = await takeLock(lockOf(owner))
    if (release === undefined) return undefined
    try {
      const session = new KeptSession<State>({ sessionId, role }, await Sealing.from(passphrase, sessionId, derive), release)
      await session.write(state)
      localStorage.removeItem(lockOf(owner))
      return session
    } catch {
      release()
      return undefined
    }
  }

  /**
   * Takes up a session that an earlier tab has kept.
   *
   * @throws ProblemError KEPT_ELSEWHERE if there is none, or another tab has it by now; KEPT_SEALED under another passphrase
   */
  static async open<State extends object> (owner: Owner): Promise<{ readonly session: KeptSession<State>, readonly state: State }> {
    const { sessionId, role, passphrase, derive } = owner
    const release = await takeLock(lockOf(owner))
    if (release === undefined) throw new ProblemError({ code: 'KEPT_ELSEWHERE' })
    try {
      const record = await (await database()).get('sessions', [sessionId, role])
      if (record === undefined) throw new ProblemError({ code: 'KEPT_ELSEWHERE' })
      const sealing = await Sealing.from(passphrase, sessionId, derive)
      const opened = await sealing.open(PLACE, record.sealed)
      if (opened === undefined) throw new ProblemError({ code: 'KEPT_SEALED' })
      return { session: new KeptSession<State>({ sessionId, role }, sealing, release), state: JSON.parse(new TextDecoder().decode(opened)) as State }
    } catch (error) {
      release()
      throw toClientError(error)
    }
  }

  /**
   * Replaces the state as a whole; when this resolves, it outlives the machine's crash. One write after the other.
   *
   * @param files - what is removed with it where it is forgotten unopened
   */
  write (state: State, files?: TabFiles): Promise<void> {
    const text = JSON.stringify(state)
    const written = this.#last.then(() => this.#write(text, files))
    this.#last = written.catch(() => undefined)
    return written
  }

  async #write (text: string, files: TabFiles | undefined): Promise<void> {
    if (this.#removal !== undefined) return
    const sealed = await this.sealing.seal(PLACE, utf8(text))
    const transaction = (await database()).transaction('sessions', 'readwrite', { durability: 'strict' })
    await Promise.all([transaction.store.put({ ...this.name, sealed, files, written: Date.now() }), transaction.done])
    this.#timer ??= setInterval(() => { this.#touch().catch(() => undefined) }, SIGN_OF_LIFE)
  }

  async #touch (): Promise<void> {
    const { store, done } = (await database()).transaction('sessions', 'readwrite')
    const record = await store.get([this.name.sessionId, this.name.role])
    if (record !== undefined) await store.put({ ...record, written: Date.now() })
    await done
  }

  /** Its removal, from when that has begun; it rejects where the session is still there, and may be taken up. */
  get removal (): Promise<void> | undefined {
    return this.#removal
  }

  /** Leaves it as it is to whoever goes on with it. */
  async keep (): Promise<void> {
    await this.#last
    this.#end()
  }

  /** Keeps it no longer, from a page that goes away: nobody waits for a database there, and what is written to this storage is there at once. */
  abandon (): void {
    localStorage.setItem(lockOf(this.name), 'left')
  }

  /** Keeps it no longer. What files there are stay: who has opened it knows which of them are still of use. */
  remove (): Promise<void> {
    this.#removal ??= this.#remove()
    return this.#removal
  }

  async #remove (): Promise<void> {
    await this.#last
    await removeRecord(this.name)
    this.#end()
  }

  #end (): void {
    clearInterval(this.#timer)
    this.#release()
  }
}

/** The record, and with it all that belongs to the session. */
async function removeRecord (name: KeptName): Promise<void> {
  const stores = ['sessions', 'lines', 'notes'] as const
  const transaction = (await database()).transaction(stores, 'readwrite', { durability: 'strict' })
  await Promise.all([...stores.map((store) => transaction.objectStore(store).delete(rangeOf(name))), transaction.done])
  localStorage.removeItem(lockOf(name))
}

/** The sessions that were interrupted: kept, and in no tab. */
export async function interruptedSessions (): Promise<readonly KeptName[]> {
  try {
    const names = (await (await database()).getAll('sessions')).map(({ sessionId, role }) => ({ sessionId, role }))
    const free = await Promise.all(names.map((name) => isFree(lockOf(name))))
    const left = names.filter((_, i) => free[i])
    const abandoned = left.filter((name) => localStorage.getItem(lockOf(name)) !== null)
    for (const name of abandoned) await forget(name)
    return left.filter((name) => !abandoned.includes(name))
  } catch {
    // Nothing can be kept here.
    return []
  }
}

/** Forgets sessions that were interrupted; without a moment, all of them. */
export async function forgetInterrupted (before = Number.POSITIVE_INFINITY): Promise<void> {
  for (const name of await interruptedSessions()) await forget(name, before)
}

async function forget (name: KeptName, before = Number.POSITIVE_INFINITY): Promise<void> {
  const record = await (await database()).get('sessions', [name.sessionId, name.role])
  if (record === undefined || record.written >= before) return
  if (record.files !== undefined) await removeFiles(record.files)
  await removeRecord(name)
}

/** Forgets those that nobody has gone on with for a day. */
export const sweepKept = (now = Date.now()): Promise<void> => forgetInterrupted(now - KEPT)

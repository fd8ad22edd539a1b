/**
 * What a run leaves behind so that another one can go on: `${XDG_STATE_HOME:-~/.local/state}/local-send/<session id>/<role>/`, readable
 * by its owner alone and sealed under the passphrase. Invariant: one process at a time has it, by a lock of the operating system,
 * or two could seal different things under one salt.
 */

import { constants } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, rmdir, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { tryLock, unlock } from 'fs-native-extensions'
import { Sealing } from '../../client/sealing.js'
import type { Role } from '../../client/session.js'
import { utf8 } from '../../lib/crypto/bytes.js'
import type { DeriveW } from '../../lib/crypto/password.js'
import type { SessionId } from '../../lib/ids.js'
import { CliError } from '../cli-error.js'
import { EXIT } from '../exit-codes.js'
import { isThere } from '../files/is-there.js'
import { againIfRemoved } from './again-if-removed.js'
import { stateOf, unusable } from './state-paths.js'

const PLACE = 'session'
const LOCK = 'lock'

/** Whose folder it is, and what it is sealed under. */
export interface Owner {
  readonly sessionId: SessionId
  readonly role: Role
  readonly passphrase: string
  readonly derive: DeriveW
}

/** What an earlier run left, in use by this process. */
export interface Resumed<State extends object> {
  readonly folder: StateFolder<State>
  readonly state: State
}

/** The folder of one session, in use by this process. */
export class StateFolder<State extends object> {
  readonly path: string
  readonly sealing: Sealing
  readonly #lock: FileHandle
  #released = false
  #last: Promise<unknown> = Promise.resolve()

  private constructor (path: string, sealing: Sealing, lock: FileHandle) {
    this.path = path
    this.sealing = sealing
    this.#lock = lock
  }

  /** Makes the folder of a session that is new here. What an earlier run left is gone on with only if that is asked for. */
  static async create<State extends object> ({ sessionId, role, passphrase, derive }: Owner, state: State): Promise<StateFolder<State>> {
    for (const path of pathsOf(sessionId, role)) {
      const lock = await againIfRemoved(async () => {
        await mkdir(path, { recursive: true, mode: 0o700 })
        return await lockIn(path)
      }).catch((cause: unknown) => { throw unusable(path, cause) })
      // Another process of this account is in the same session.
      if (lock === undefined) continue
      if (await isThere(join(path, PLACE))) {
        await release(lock)
        throw interrupted()
      }
      const folder = new StateFolder<State>(path, await Sealing.from(passphrase, sessionId, derive), lock)
      await folder.write(state)
      return folder
    }
    throw busy()
  }

  /** Opens what an earlier run left. */
  static async resume<State extends object> (owner: Owner): Promise<Resumed<State>> {
    let found = false
    for (const path of pathsOf(owner.sessionId, owner.role)) {
      const kept = await againIfRemoved(() => StateFolder.#open<State>(path, owner))
      if (typeof kept === 'object') return kept
      found ||= kept === 'in use'
    }
    throw found ? busy() : new CliError('There is nothing to go on with: no interrupted transfer of this session is kept here.', EXIT.usage)
  }

  /** @throws an error of the code ENOENT if another process removes the folder in this moment */
  static async #open<State extends object> (path: string, { sessionId, passphrase, derive }: Owner): Promise<'none' | 'in use' | Resumed<State>> {
    if (!await isThere(join(path, PLACE))) return 'none'
    const lock = await lockIn(path)
    if (lock === undefined) return 'in use'
    try {
      const kept = new Uint8Array(await readFile(join(path, PLACE)))
      const sealing = await Sealing.from(passphrase, sessionId, derive)
      const opened = await sealing.open(PLACE, kept)
      if (opened === undefined) throw new CliError('What is kept of this session cannot be opened with this passphrase.', EXIT.wrongPassphrase)
      return { folder: new StateFolder<State>(path, sealing, lock), state: JSON.parse(new TextDecoder().decode(opened)) as State }
    } catch (error) {
      await release(lock)
      throw error
    }
  }

  /** @throws {@link CliError} if an earlier run left something of this session that nobody is going on with */
  static async refuseInterrupted (sessionId: SessionId, role: Role): Promise<void> {
    for (const path of pathsOf(sessionId, role)) {
      const state = await againIfRemoved(() => stateIn(path))
      if (state === 'none') return
      if (state === 'interrupted') throw interrupted()
    }
  }

  /** Replaces the state as a whole; when this returns, it outlives the machine's crash. */
  write (state: State): Promise<void> {
    const written = this.#last.then(() => this.#write(state))
    this.#last = written.catch(() => {})
    return written
  }

  async #write (state: State): Promise<void> {
    const sealed = await this.sealing.seal(PLACE, utf8(JSON.stringify(state)))
    const next = join(this.path, 'session.new')
    const file = await open(next, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600)
    try {
      await file.writeFile(sealed)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(next, join(this.path, PLACE))
  }

  /** Leaves it for a later run. */
  async keep (): Promise<void> {
    await this.#last
    await this.#release()
  }

  /** Removes it: first what opens the session, then the rest. */
  async remove (): Promise<void> {
    await this.#last
    await unlink(join(this.path, PLACE)).catch(() => {})
    for (const name of await readdir(this.path)) if (name !== LOCK) await rm(join(this.path, name), { recursive: true, force: true })
    // From now on the folder may be another process's.
    await unlink(join(this.path, LOCK)).catch(() => {})
    for (const path of [this.path, dirname(this.path)]) await rmdir(path).catch(() => {})
    await this.#release()
  }

  async #release (): Promise<void> {
    if (this.#released) return
    this.#released = true
    await release(this.#lock)
  }
}

/** Processes of one account that may be in one session in the same role. */
const PROCESSES = 50

const pathsOf = (sessionId: SessionId, role: Role): readonly string[] =>
  Array.from({ length: PROCESSES }, (_, i) => join(stateOf(sessionId), i === 0 ? role : `${role}-${i + 1}`))

const interrupted = (): CliError => new CliError('An interrupted transfer of this session is kept here: go on with it by --resume.', EXIT.usage)
const busy = (): CliError => new CliError('Another process is transferring this session: wait for it, or stop it.', EXIT.failure)

/**
 * @returns `undefined` if another process has it
 * @throws an error of the code ENOENT if another process removes the folder in this moment
 */
async function lockIn (path: string): Promise<FileHandle | undefined> {
  const handle = await open(join(path, LOCK), constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  if (!tryLock(handle.fd)) {
    await handle.close()
    return undefined
  }
  if ((await handle.stat()).nlink > 0) return handle
  await release(handle)
  throw Object.assign(new Error('The folder has been removed.'), { code: 'ENOENT' })
}

/** Whether an earlier run has left something, and whether a process has it. */
async function stateIn (path: string): Promise<'none' | 'in use' | 'interrupted'> {
  if (!await isThere(join(path, PLACE))) return 'none'
  const lock = await lockIn(path)
  if (lock === undefined) return 'in use'
  // Its process may have ended well since.
  const isLeft = await isThere(join(path, PLACE))
  await release(lock)
  return isLeft ? 'interrupted' : 'none'
}

async function release (handle: FileHandle): Promise<void> {
  unlock(handle.fd)
  await handle.close()
}

import { availableParallelism } from 'node:os'
import PQueue from 'p-queue'
import type { Bytes } from '../crypto/bytes.js'
import { deriveW } from '../crypto/password.js'
import { LocalSendError } from '../errors.js'
import type { SessionId } from '../ids.js'

const MAX_RUNNING = Math.max(1, Math.min(3, availableParallelism() - 1))
const MAX_WAITING = 32

/**
 * Password stretching, bounded (protocol local-send/1, section 2): one derivation keeps a core busy for about 0.1 s and takes
 * a thread of the pool that the file system uses too, so only a few run, some wait, and the rest are told to come back.
 */
export class PasswordStretching {
  readonly #queue = new PQueue({ concurrency: MAX_RUNNING })

  /**
   * Derives w for a session.
   * @param signal - fires when nobody waits for the result any more; a derivation that has not begun is dropped then, and one
   *   that has keeps its place until it is done, since nothing can stop it
   * @throws LocalSendError PASSWORD_INVALID, SERVER_BUSY
   */
  async derive (password: string, sessionId: SessionId, signal: AbortSignal): Promise<Bytes> {
    if (this.#queue.size >= MAX_WAITING) throw new LocalSendError('SERVER_BUSY', { retryAfter: 5 })
    signal.throwIfAborted()
    const waiting = new AbortController()
    const drop = (): void => { waiting.abort(signal.reason) }
    signal.addEventListener('abort', drop, { once: true })
    // The queue would count a running derivation as over as soon as its signal fires: it gets one that does not fire any more.
    const derived = await this.#queue.add(() => {
      signal.removeEventListener('abort', drop)
      return deriveW(password, sessionId)
    }, { signal: waiting.signal })
    signal.throwIfAborted()
    return derived
  }
}

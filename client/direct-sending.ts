/** Handing a file to the receiver who asks this side for it, instead of to the server (docs/protocol.md, section 7). */

import type { Bytes } from '../lib/crypto/bytes.js'
import type { FileId } from '../lib/ids.js'
import { ahead } from './ahead.js'
import { pause } from './http.js'
import { Pace } from './pace.js'
import type { Content } from './pieces.js'

/** What a receiver has asked this side for. */
export interface DirectRequest {
  readonly fileId: FileId
  /** Offset in the container of the first byte that is wanted. */
  readonly from: number
  /** Fires when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  /**
   * Answers with the bytes from `from` on. It is cut off when the signal fires, or the receiver goes or takes nothing for too long.
   *
   * @param size - bytes of the whole container
   * @throws what `bytes` throws
   */
  readonly answer: (size: number, bytes: AsyncIterable<Bytes>, signal: AbortSignal) => Promise<void>
  /** Says that it is not to be had here. */
  readonly refuse: () => void
}

/** Milliseconds for which a receiver who got something is waited for, until he says that he has all of it or asks again, before the server gets the rest. */
const RETURN_TIME = 3000
/**
 * Milliseconds for which somebody who joins, and then somebody who has joined, is waited for: what goes to the server meanwhile, he would get here a
 * second time. A file of less than so many bytes is not worth the wait.
 */
const EXPECTED = { joining: 2000, joined: 1000, bytes: 2 ** 26 }
const NEWS = new Error('The receiver asks for it, or has it.')

/** What one side hands out itself. */
export class DirectSending {
  /** Where it does. */
  readonly addresses: readonly string[]
  readonly #onBegin: () => void
  /** Who has a file may have said so before it is sent again, by another run. */
  readonly #received = new Set<FileId>()
  #current: HandingOut | undefined

  /** @param onBegin - called when a receiver gets the first bytes of an answer */
  constructor (addresses: readonly string[], onBegin: () => void = () => undefined) {
    this.addresses = addresses
    this.#onBegin = onBegin
  }

  /** A file that is being sent from now on, until {@link HandingOut.end}. */
  begin (fileId: FileId, content: Content): HandingOut {
    this.#current = new HandingOut(fileId, content, this.#onBegin)
    if (this.#received.has(fileId)) this.#current.received()
    return this.#current
  }

  /** Somebody is about to be let in, or has been: he may ask soon. */
  expect (what: 'joining' | 'joined'): void {
    this.#current?.expect(EXPECTED[what])
  }

  /** Somebody asks for a file. */
  ask (request: DirectRequest): void {
    if (this.#current?.fileId === request.fileId) this.#current.ask(request)
    else request.refuse()
  }

  /** Somebody has said that he has a file. */
  received (fileId: FileId): void {
    this.#received.add(fileId)
    if (this.#current?.fileId === fileId) this.#current.received()
  }
}

/** A file while it is being sent. */
export class HandingOut {
  readonly fileId: FileId
  readonly #content: Content
  readonly #onBegin: () => void
  #waiting: DirectRequest | undefined
  #received = false
  #ended = false
  #isAnswering = false
  /** When nobody is waited for any more, as `Date.now` counts. */
  #expectedUntil = 0
  /** Ends what waits for news, and an answer in whose place another one is wanted. */
  #news = new AbortController()

  constructor (fileId: FileId, content: Content, onBegin: () => void) {
    this.fileId = fileId
    this.#content = content
    this.#onBegin = onBegin
  }

  /**
   * Fires when somebody asks for it, may ask soon, or says that he has it: then the server need not get more of it for now. Each call gives the signal of the
   * next time.
   */
  whenAsked (): AbortSignal {
    return this.#expectedUntil > Date.now() ? AbortSignal.abort(NEWS) : this.#whenNews()
  }

  expect (milliseconds: number): void {
    if (this.#isAnswering || (this.#content.length ?? 0) < EXPECTED.bytes) return
    this.#expectedUntil = Date.now() + milliseconds
    this.#tell()
  }

  /** The latest request counts: who asks again has lost the answer before. */
  ask (request: DirectRequest): void {
    this.#waiting?.refuse()
    this.#waiting = undefined
    if (this.#ended || this.#received) {
      request.refuse()
      return
    }
    this.#waiting = request
    this.#tell()
  }

  received (): void {
    this.#received = true
    this.#tell()
  }

  /** Whoever asks from now on is sent to the server. */
  end (): void {
    this.#ended = true
    this.#waiting?.refuse()
    this.#waiting = undefined
  }

  /**
   * Hands it to those who ask, until nobody does any more.
   *
   * @param onSent - called with the bytes of the source that have gone out
   * @returns whether somebody has said that he has it
   * @throws ClientError SOURCE_CHANGED, SOURCE_FAILED; the signal's reason
   */
  async handOut (onSent: (sent: number) => void, signal: AbortSignal): Promise<boolean> {
    while (!this.#received) {
      const request = this.#waiting
      this.#waiting = undefined
      const wait = this.#expectedUntil - Date.now()
      if (request !== undefined) {
        this.#expectedUntil = 0
        if (await this.#answer(request, onSent, signal)) await this.#waitForNews(RETURN_TIME, signal)
      } else if (wait > 0) await this.#waitForNews(wait, signal)
      else break
    }
    return this.#received
  }

  /** @returns whether anything went out */
  async #answer (request: DirectRequest, onSent: (sent: number) => void, signal: AbortSignal): Promise<boolean> {
    const { length, begun } = this.#content
    const { from } = request
    // What has not been sealed yet, nobody can have had.
    if (length === null || from > begun || from >= length) {
      request.refuse()
      return false
    }
    if (request.signal.aborted) return false
    const over = AbortSignal.any([signal, request.signal, this.#whenNews()])
    this.#onBegin()
    let any = false
    const told = (sent: number): void => {
      any = true
      onSent(sent)
    }
    this.#isAnswering = true
    try {
      await request.answer(length, bytesFrom(this.#content, from, told, over), over)
    } catch (error) {
      signal.throwIfAborted()
      if (!over.aborted) throw error
    } finally {
      this.#isAnswering = false
    }
    return any
  }

  async #waitForNews (milliseconds: number, signal: AbortSignal): Promise<void> {
    try {
      await pause(milliseconds, AbortSignal.any([signal, this.#whenNews()]))
    } catch {
      signal.throwIfAborted()
    }
  }

  #whenNews (): AbortSignal {
    return this.#received || this.#waiting !== undefined ? AbortSignal.abort(NEWS) : this.#news.signal
  }

  #tell (): void {
    this.#news.abort(NEWS)
    this.#news = new AbortController()
  }
}

async function * bytesFrom (content: Content, from: number, onSent: (sent: number) => void, signal: AbortSignal): AsyncGenerator<Bytes, void, undefined> {
  const pace = new Pace(content.length)
  let began = Date.now()
  for await (const { offset, bytes, sent } of ahead((ending) => content.pieces(from, (offset) => pace.sizeAt(offset), ending), signal)) {
    yield bytes.subarray(Math.max(0, from - offset))
    onSent(sent)
    pace.sent(bytes.length, Date.now() - began)
    began = Date.now()
  }
}

/**
 * What happens in a session, as the server tells it (protocol local-send/1, section 4): server-sent events, followed across
 * broken connections and restarts of the server. Invariant: an event that may have been missed is never passed over silently;
 * `reset` says that the state has to be read anew.
 */

import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { FileId, JoinId } from '../lib/ids.js'
import { Fields, type Role } from './answers.js'
import { ClientError, isClientError, isSessionGone, isTransient } from './errors.js'
import { pause, type Connection, type Options } from './http.js'
import { apiOf, type Member } from './session.js'

/** Why a join came to nothing. */
export type JoinRefusal = 'code' | 'password' | 'rejected' | 'full' | 'given-up'

/** An event. What the server says here is a hint, not a proof: it can invent and withhold. */
export type SessionEvent =
  | { readonly type: 'join.requested' | 'join.answered' | 'join.confirmed' | 'join.joined', readonly joinId: JoinId }
  | { readonly type: 'join.refused', readonly joinId: JoinId | null, readonly reason: JoinRefusal }
  | { readonly type: 'file.started' | 'file.ready', readonly fileId: FileId, readonly size: number | null, readonly uploadedBy: Role }
  | { readonly type: 'file.progress', readonly fileId: FileId, readonly offset: number, readonly size: number | null }
  | { readonly type: 'file.received', readonly fileId: FileId, readonly role: Role, readonly joinId: JoinId | undefined }
  | { readonly type: 'file.deleted', readonly fileId: FileId }
  | { readonly type: 'participant.left', readonly role: Role, readonly joinId: JoinId | undefined }
  | { readonly type: 'session.locked' | 'session.closed' }
  /** Events may have been missed: read status, attempts and files now. Also the first event, unless one goes on behind an id. */
  | { readonly type: 'reset' }

/** An event, and the id behind which one can go on. */
export type SentEvent = SessionEvent & { readonly id: string | undefined }

/** What {@link events} takes. */
export interface EventOptions extends Options {
  /** The id of the last event that was seen. */
  readonly lastEventId?: string | undefined
  /** Milliseconds without a sign of life after which the connection is taken for broken; 45 000 by default. */
  readonly silence?: number
}

/** The server gives a sign of life every 15 s. */
const SILENCE = 45_000
/** Characters of the longest event. */
const MAX_EVENT = 2 ** 16
/** Milliseconds before the connection is made anew; doubled for every time that it fails. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 30_000

/**
 * The events of a session, until it is closed. The connection is made anew whenever it breaks.
 *
 * @throws ClientError SESSION_NOT_FOUND when the session is gone, or the token no longer opens it; BAD_ANSWER; the signal's reason
 */
export async function * events (connection: Connection, member: Member, { lastEventId, silence = SILENCE, signal }: EventOptions = {}): AsyncGenerator<SentEvent, void, undefined> {
  let last = lastEventId
  let failures = 0
  for (;;) {
    const began = Date.now()
    try {
      for await (const event of oneStream(connection, member, last, silence, signal)) {
        failures = 0
        last = event.id ?? last
        yield event
        if (event.type === 'session.closed') return
      }
    } catch (error) {
      signal?.throwIfAborted()
      if (isSessionGone(error)) throw new ClientError('SESSION_NOT_FOUND', { cause: error })
      if (!isTransient(error)) throw error
      if (isClientError(error) && error.retryAfter !== undefined) await pause(Math.min(error.retryAfter * 1000, LONGEST_PAUSE), signal)
    }
    // A connection that stood for a while was a good one, whether or not anything happened.
    if (Date.now() - began > LONGEST_PAUSE) failures = 0
    await pause(backoff(failures++), signal)
  }
}

/** Milliseconds to wait after so many failures in a row, spread so that not everybody comes back at once. */
export const backoff = (failures: number): number =>
  Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2)

/** The events of one connection. */
async function * oneStream (connection: Connection, member: Member, lastEventId: string | undefined, silence: number, signal: AbortSignal | undefined): AsyncGenerator<SentEvent, void, undefined> {
  const watch = new SilenceWatch(silence)
  try {
    const pieces = await apiOf(connection, member).events(lastEventId, { signal: signal === undefined ? watch.signal : AbortSignal.any([signal, watch.signal]) })
    watch.stop()
    // Whoever cannot say where he was may have missed anything; the server does not know.
    if (lastEventId === undefined) yield { type: 'reset', id: undefined }
    yield * parsed(watch.over(pieces))
  } finally {
    watch.stop()
  }
}

/** Fires with NETWORK when nothing has come for too long. The time that the reader takes for himself does not count. */
class SilenceWatch {
  readonly #controller = new AbortController()
  readonly #milliseconds: number
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor (milliseconds: number) {
    this.#milliseconds = milliseconds
    this.#start()
  }

  get signal (): AbortSignal {
    return this.#controller.signal
  }

  #start (): void {
    this.#timer = setTimeout(() => { this.#controller.abort(new ClientError('NETWORK', { detail: 'Nothing has come from it for too long.' })) }, this.#milliseconds)
  }

  async * over (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    this.#start()
    for await (const piece of pieces) {
      this.stop()
      yield piece
      this.#start()
    }
  }

  stop (): void {
    clearTimeout(this.#timer)
  }
}

async function * parsed (pieces: AsyncIterable<Uint8Array>): AsyncGenerator<SentEvent, void, undefined> {
  const messages: EventSourceMessage[] = []
  const parser = createParser({ maxBufferSize: MAX_EVENT, onEvent: (message) => messages.push(message), onError: refuseOversize })
  const decoder = new TextDecoder()
  for await (const piece of pieces) {
    parser.feed(decoder.decode(piece, { stream: true }))
    for (const message of messages.splice(0)) {
      const event = eventOf(message)
      if (event !== undefined) yield { ...event, id: idOf(message) }
    }
  }
}

/** The id goes back to the server in a header, so it must be able to. */
function idOf ({ id }: EventSourceMessage): string | undefined {
  if (id !== undefined && !/^[\x21-\x7e]{1,200}$/.test(id)) throw new ClientError('BAD_ANSWER', { detail: 'What is wrong: the id of an event.' })
  return id
}

function refuseOversize ({ type }: { readonly type: string }): void {
  if (type === 'max-buffer-size-exceeded') throw new ClientError('BAD_ANSWER', { detail: 'An event is too long.' })
}

/** An event of a type that is known; `undefined` for one that a newer server may send. */
function eventOf ({ event: type = '', data }: EventSourceMessage): SessionEvent | undefined {
  const read = Object.hasOwn(READERS, type) ? READERS[type] : undefined
  return read?.(new Fields(json(data), type))
}

function json (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const joinOf = (fields: Fields): JoinId | undefined => fields.optional('join_id', (_, name) => fields.joinId(name))
const fileWithSize = (fields: Fields) => ({ fileId: fields.fileId(), size: fields.wholeOrNull('size'), uploadedBy: fields.role('uploaded_by') })
const whoDid = (fields: Fields) => ({ role: fields.role(), joinId: joinOf(fields) })

const READERS: Readonly<Record<string, (fields: Fields) => SessionEvent>> = {
  'join.requested': (fields) => ({ type: 'join.requested', joinId: fields.joinId() }),
  'join.answered': (fields) => ({ type: 'join.answered', joinId: fields.joinId() }),
  'join.confirmed': (fields) => ({ type: 'join.confirmed', joinId: fields.joinId() }),
  'join.joined': (fields) => ({ type: 'join.joined', joinId: fields.joinId() }),
  'join.refused': (fields) => ({
    type: 'join.refused',
    joinId: fields.isNull('join_id') ? null : fields.joinId(),
    reason: fields.oneOf('reason', 'code', 'password', 'rejected', 'full', 'given-up')
  }),
  'file.started': (fields) => ({ type: 'file.started', ...fileWithSize(fields) }),
  'file.ready': (fields) => ({ type: 'file.ready', ...fileWithSize(fields) }),
  'file.progress': (fields) => ({ type: 'file.progress', fileId: fields.fileId(), offset: fields.whole('offset'), size: fields.wholeOrNull('size') }),
  'file.received': (fields) => ({ type: 'file.received', fileId: fields.fileId(), ...whoDid(fields) }),
  'file.deleted': (fields) => ({ type: 'file.deleted', fileId: fields.fileId() }),
  'participant.left': (fields) => ({ type: 'participant.left', ...whoDid(fields) }),
  'session.locked': () => ({ type: 'session.locked' }),
  'session.closed': () => ({ type: 'session.closed' }),
  reset: () => ({ type: 'reset' })
}

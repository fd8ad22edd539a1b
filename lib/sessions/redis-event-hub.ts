import { utf8 } from '../crypto/bytes.js'
import { isLocalSendError } from '../errors.js'
import { isJoinId, isSessionId, type SessionId } from '../ids.js'
import type { RedisConnection } from '../redis/redis-connection.js'
import { listOf, textOf, type Reply } from '../redis/redis-script.js'
import { formatEventId, newEpoch, parseEventId, type EventPosition } from './event-ids.js'
import type { EventHub, Listener, SessionEnd, SessionEvent } from './events.js'
import * as scripts from './redis-event-scripts.js'
import { openWithEither, seal, type Secrets } from './sealing.js'

interface Options {
  readonly redis: RedisConnection
  readonly secrets: Secrets
  /** Is told what failed while nobody was waiting for it. */
  readonly onError: (error: unknown) => void
}

const REMEMBERED = 100
/** Milliseconds behind the last event after which those of a session are forgotten. */
const MEMORY = 3_600_000
const ENDS = 'local-send:ends'
const channelOf = (id: SessionId): string => `local-send:events:{${id}}`
const keysOf = (id: SessionId): readonly string[] => [`local-send:channel:{${id}}`, channelOf(id)]
const CHANNEL = /^local-send:events:\{([^}]+)\}$/

/** Who listens in this process, and how far he has heard. */
interface Hearer {
  readonly listener: Listener
  at: EventPosition
}

/** A session that somebody in this process listens to. */
interface Channel {
  readonly hearers: Set<Hearer>
  /** Those who have come, heard or not yet. */
  readers: number
  /** What happens on it, one after the other. */
  work: Promise<void>
}

/**
 * Events by way of Redis: whoever listens, in whatever process, hears what happens in any other, in order. What was missed while the
 * connection was broken is read again.
 */
export class RedisEventHub implements EventHub {
  readonly #redis: RedisConnection
  readonly #secrets: Secrets
  readonly #onError: (error: unknown) => void
  readonly #channels = new Map<SessionId, Channel>()
  /** The last event of each session that is being published: one after the other, so that order is kept. */
  readonly #publishing = new Map<SessionId, Promise<void>>()
  readonly #endListeners: SessionEnd[] = []

  private constructor ({ redis, secrets, onError }: Options) {
    this.#redis = redis
    this.#secrets = secrets
    this.#onError = onError
  }

  /** @throws LocalSendError STORE_UNAVAILABLE */
  static async open (options: Options): Promise<RedisEventHub> {
    const hub = new RedisEventHub(options)
    const { redis } = options
    redis.subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => { hub.#hear(channel.toString(), message) })
    redis.onRestored(() => hub.#catchUp())
    await redis.subscribe(ENDS)
    return hub
  }

  publish (sessionId: SessionId, event: SessionEvent): void {
    const before = this.#publishing.get(sessionId) ?? Promise.resolve()
    const published = before.then(() => this.#publish(sessionId, event)).catch(this.#onError).then(() => {
      if (this.#publishing.get(sessionId) === published) this.#publishing.delete(sessionId)
    })
    this.#publishing.set(sessionId, published)
  }

  async subscribe (sessionId: SessionId, lastEventId: string | undefined, listener: Listener): Promise<() => void> {
    const channel = this.#channels.get(sessionId) ?? { hearers: new Set(), readers: 0, work: Promise.resolve() }
    this.#channels.set(sessionId, channel)
    channel.readers += 1
    const hearer: Hearer = { listener, at: { epoch: '', number: 0 } }
    const leave = (): void => {
      if (!channel.hearers.delete(hearer)) return
      this.#leave(sessionId, channel)
    }
    try {
      // Before what there is is read, so that nothing is missed between the two.
      await this.#redis.subscribe(channelOf(sessionId))
      await this.#next(channel, async () => {
        await this.#read(sessionId, hearer, lastEventId, true)
        channel.hearers.add(hearer)
      })
      return leave
    } catch (error) {
      this.#leave(sessionId, channel)
      throw error
    }
  }

  /** Registers who is to know when sessions end, and when participants leave. */
  onEnd (listener: SessionEnd): void {
    this.#endListeners.push(listener)
  }

  /** Resolves when all events are published. */
  async idle (): Promise<void> {
    await Promise.all(this.#publishing.values())
  }

  async #publish (sessionId: SessionId, event: SessionEvent): Promise<void> {
    const sealed = await seal(this.#secrets.current, eventInfo(sessionId), utf8(JSON.stringify(event)))
    const closes = event.type === 'session.closed'
    const ended = closes ? sessionId : event.type === 'participant.left' ? `${sessionId} ${event.participant}` : ''
    const progress = event.type === 'file.progress' ? event.fileId : ''
    const done = event.type === 'file.ready' || event.type === 'file.deleted' ? event.fileId : ''
    await scripts.publishEvent.run(this.#redis, keysOf(sessionId), [newEpoch(), MEMORY, REMEMBERED, sealed, channelOf(sessionId), progress, done, ENDS, ended, Number(closes)])
  }

  #hear (name: string, message: Buffer): void {
    if (name === ENDS) {
      this.#hearEnd(message.toString())
      return
    }
    const [, sessionId] = CHANNEL.exec(name) ?? []
    const channel = isSessionId(sessionId) ? this.#channels.get(sessionId) : undefined
    if (!isSessionId(sessionId) || channel === undefined) return
    const space = message.indexOf(' ')
    const position = parseEventId(message.toString('latin1', 0, space))
    if (position === undefined) return
    this.#next(channel, () => this.#deliver(sessionId, channel, position, message.subarray(space + 1))).catch(this.#onError)
  }

  #hearEnd (message: string): void {
    const [sessionId, participant] = message.split(' ')
    if (!isSessionId(sessionId)) return
    for (const listener of this.#endListeners) listener(sessionId, participant === 'creator' || isJoinId(participant) ? participant : undefined)
  }

  async #deliver (sessionId: SessionId, channel: Channel, position: EventPosition, sealed: Uint8Array): Promise<void> {
    const event = await this.#open(sessionId, sealed)
    for (const hearer of channel.hearers) {
      if (hearer.at.epoch === position.epoch && position.number <= hearer.at.number) continue
      if (hearer.at.epoch === position.epoch && position.number === hearer.at.number + 1) this.#tell(hearer, position, event)
      else await this.#read(sessionId, hearer, formatEventId(hearer.at))
      // Behind this one there is nothing to be read again.
      if (event.type === 'session.closed' && hearer.at.number < position.number) this.#tell(hearer, position, event)
    }
    if (event.type === 'session.closed') channel.hearers.clear()
  }

  #tell (hearer: Hearer, position: EventPosition, event: SessionEvent): void {
    hearer.at = position
    hearer.listener.onEvent({ id: formatEventId(position), event })
  }

  /** Tells a listener where it stands, if that is new or something is lost, and what came after that. */
  async #read (sessionId: SessionId, hearer: Hearer, lastEventId: string | undefined, isNew = false): Promise<void> {
    const known = lastEventId === undefined ? undefined : parseEventId(lastEventId) ?? { epoch: 'unknown', number: 0 }
    const [epoch, from, lost, entries] = listOf(await scripts.readEvents.run(this.#redis, keysOf(sessionId), [newEpoch(), MEMORY, known?.epoch ?? '', known?.number ?? '']))
    hearer.at = { epoch: textOf(epoch), number: Number(textOf(from)) }
    if (isNew || lost === 1) hearer.listener.onStart(formatEventId(hearer.at), lost === 1)
    for (const entry of listOf(entries ?? null)) {
      const [id, fields] = listOf(entry)
      const event = await this.#open(sessionId, sealedOf(fields ?? null))
      this.#tell(hearer, { epoch: hearer.at.epoch, number: Number.parseInt(textOf(id), 10) }, event)
    }
  }

  async #open (sessionId: SessionId, sealed: Uint8Array): Promise<SessionEvent> {
    const { opened } = await openWithEither(this.#secrets, eventInfo(sessionId), sealed)
    const event: unknown = JSON.parse(new TextDecoder().decode(opened))
    if (!isEvent(event)) throw new TypeError('This is no event.')
    return event
  }

  /**
   * After a break: what was published meanwhile nobody has heard.
   * @throws LocalSendError STORE_UNAVAILABLE
   */
  async #catchUp (): Promise<void> {
    await Promise.all([...this.#channels].map(([sessionId, channel]) => this.#next(channel, async () => {
      for (const hearer of channel.hearers) await this.#read(sessionId, hearer, formatEventId(hearer.at))
    }).catch((error: unknown) => {
      this.#onError(error)
      if (isLocalSendError(error, 'STORE_UNAVAILABLE')) throw error
    })))
  }

  /** Does something on a channel when all before is done. */
  #next (channel: Channel, action: () => Promise<void>): Promise<void> {
    const done = channel.work.then(action)
    channel.work = done.catch(() => {})
    return done
  }

  #leave (sessionId: SessionId, channel: Channel): void {
    channel.readers -= 1
    if (channel.readers > 0 || this.#channels.get(sessionId) !== channel) return
    this.#channels.delete(sessionId)
    this.#redis.unsubscribe(channelOf(sessionId))
  }
}

const eventInfo = (sessionId: SessionId) => utf8(`local-send/1 event\0${sessionId}`)

function sealedOf (fields: Reply): Uint8Array {
  const [, sealed] = listOf(fields)
  if (!Buffer.isBuffer(sealed)) throw new TypeError('The stream has no such entry.')
  return sealed
}

/** Whether this is an event: it has been sealed here. */
const isEvent = (value: unknown): value is SessionEvent => typeof value === 'object' && value !== null && 'type' in value

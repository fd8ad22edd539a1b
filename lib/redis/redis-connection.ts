import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { ConfigError } from '../config.js'
import { LocalSendError } from '../errors.js'
import type { RedisTarget } from './redis-url.js'

export type RedisClient = Redis | Cluster

/** Milliseconds after which a command that nothing answers has failed: whoever waits for it is told to come back. */
const COMMAND_TIMEOUT = 2000
const CONNECT_TIMEOUT = 2000
/** Milliseconds in which some node of a cluster must let itself be listened to. */
const SUBSCRIBER_PATIENCE = 10_000
const KEEP_ALIVE = 10_000
/** Milliseconds between two tries to connect, at most. */
const RETRY_INTERVAL = 1000
/** Milliseconds between two tries to listen again. */
const RESTORE_INTERVAL = 50
/** Seconds after which a client may find Redis again. */
const RETRY_AFTER = 5

/** What Redis answers when it is there and cannot serve at present: while it starts, fails over, or has no memory left. */
const TEMPORARY = /^(?:LOADING|BUSY|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|OOM|MISCONF|UNBLOCKED|NOAUTH|WRONGPASS|NOPERM) /
const REPLY = /^[A-Z]+ /

/**
 * The two connections of this process to Redis: one for commands, one that listens. Nothing queues up while Redis is away:
 * commands fail at once, or after {@link COMMAND_TIMEOUT} where it hangs, and work again as soon as it is back.
 */
export class RedisConnection {
  readonly client: RedisClient
  /** To hear messages on; channels are for {@link subscribe}. In a cluster it is connected to any of its nodes, which all hear what one is told. */
  readonly subscriber: Redis
  readonly #onFailure: () => void
  readonly #channels = new Set<string>()
  #restorations = 0
  readonly #onRestored: Array<() => Promise<void>> = []

  private constructor (target: RedisTarget, onFailure: () => void) {
    this.#onFailure = onFailure
    this.client = newClient(target)
    this.subscriber = newSubscriber(target, this.client)
    // Without a listener each would be an uncaught error; what a break means is told to whoever wants something of Redis.
    for (const client of [this.client, this.subscriber]) client.on('error', () => {})
  }

  /**
   * @param onFailure - is told of every command that failed
   * @throws ConfigError where nothing answers there, or not to this password
   */
  static async open (target: RedisTarget, onFailure = (): void => {}): Promise<RedisConnection> {
    const connection = new RedisConnection(target, onFailure)
    try {
      await connection.client.connect()
      await connection.#connectSubscriber()
      connection.subscriber.on('ready', () => { void connection.#restore() })
      return connection
    } catch (error) {
      connection.close()
      throw new ConfigError(`REDIS_URL must lead to a Redis that answers (${error instanceof Error ? error.message : String(error)}).`, { cause: error })
    }
  }

  /** In a cluster another node is tried where the first one is away. */
  async #connectSubscriber (): Promise<void> {
    try {
      await this.subscriber.connect()
    } catch (error) {
      if (!(this.client instanceof Cluster)) throw error
      const ready = new Promise<void>((resolve) => { this.subscriber.once('ready', resolve) })
      const isReady = await Promise.race([ready.then(() => true), delay(SUBSCRIBER_PATIENCE, false, { ref: false })])
      if (!isReady) throw error
    }
  }

  /** Whether a command would be sent now. */
  get isReady (): boolean {
    return this.client.status === 'ready'
  }

  /**
   * Runs commands.
   * @throws LocalSendError STORE_UNAVAILABLE where Redis is away, hangs, or cannot serve at present
   */
  async run <Reply> (commands: (client: RedisClient) => Promise<Reply>): Promise<Reply> {
    try {
      return await commands(this.client)
    } catch (error) {
      this.#onFailure()
      throw unavailable(error)
    }
  }

  /**
   * Listens to a channel, over breaks of the connection too.
   * @throws LocalSendError STORE_UNAVAILABLE
   */
  async subscribe (channel: string): Promise<void> {
    const isNew = !this.#channels.has(channel)
    this.#channels.add(channel)
    try {
      await this.run(() => this.subscriber.subscribe(channel))
    } catch (error) {
      if (isNew) this.#channels.delete(channel)
      throw error
    }
  }

  unsubscribe (channel: string): void {
    this.#channels.delete(channel)
    this.subscriber.unsubscribe(channel).catch(() => { /* Without a connection there is no subscription. */ })
  }

  /**
   * Calls back when all channels are listened to again after a break, and commands are answered: what was said meanwhile nobody has
   * heard. Where a listener fails, all of it is done again.
   */
  onRestored (listener: () => Promise<void>): void {
    this.#onRestored.push(listener)
  }

  /** What ioredis would do by itself, but that a failure of it would then be nobody's and end the process. */
  async #restore (): Promise<void> {
    const restoration = ++this.#restorations
    while (restoration === this.#restorations && this.subscriber.status === 'ready') {
      try {
        if (this.#channels.size > 0) await this.run(() => this.subscriber.subscribe(...this.#channels))
        await this.ping()
        await Promise.all(this.#onRestored.map((listener) => listener()))
        return
      } catch {
        await delay(RESTORE_INTERVAL)
      }
    }
  }

  async ping (): Promise<void> {
    await this.run((client) => client.ping())
  }

  close (): void {
    this.client.disconnect()
    this.subscriber.disconnect()
  }
}

/** The same failure in terms of the catalogue, unless it is a fault of this program. */
export function unavailable (error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof LocalSendError) return error
  if (REPLY.test(error.message) && !TEMPORARY.test(error.message)) return error
  return new LocalSendError('STORE_UNAVAILABLE', { retryAfter: RETRY_AFTER, cause: error })
}

/** Milliseconds before the next try. */
const retryStrategy = (times: number): number => Math.min(50 * 2 ** Math.min(times, 10), RETRY_INTERVAL) * (0.5 + Math.random() / 2)

const optionsFor = ({ tls, username, password }: RedisTarget) => ({
  keepAlive: KEEP_ALIVE,
  lazyConnect: true,
  connectTimeout: CONNECT_TIMEOUT,
  commandTimeout: COMMAND_TIMEOUT,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  ...(username !== undefined && { username }),
  ...(password !== undefined && { password }),
  ...(tls && { tls: {} })
})

function newClient (target: RedisTarget): RedisClient {
  if (target.kind !== 'cluster') return newServerClient(target)
  return new Cluster([...target.addresses], { lazyConnect: true, enableOfflineQueue: false, clusterRetryStrategy: retryStrategy, redisOptions: optionsFor(target) })
}

function newServerClient (target: RedisTarget): Redis {
  const { kind, addresses, tls, master, database } = target
  const options = { ...optionsFor(target), db: database, retryStrategy }
  if (kind === 'sentinel') return new Redis({ ...options, sentinels: [...addresses], name: master, sentinelRetryStrategy: retryStrategy, ...(tls && { enableTLSForSentinelMode: true }) })
  return new Redis({ ...options, ...addresses[0] })
}

/** A cluster's own client changes the node that it listens to without a word: what was said meanwhile would be missed by who waits for it. */
function newSubscriber (target: RedisTarget, client: RedisClient): Redis {
  if (!(client instanceof Cluster)) return newServerClient(target)
  const subscriber: Redis = new Redis({
    ...optionsFor(target),
    ...target.addresses[0],
    retryStrategy: (times) => {
      const nodes = client.nodes()
      const { host, port } = nodes[Math.floor(Math.random() * nodes.length)]?.options ?? {}
      if (host !== undefined && port !== undefined) Object.assign(subscriber.options, { host, port })
      return retryStrategy(times)
    }
  })
  return subscriber
}

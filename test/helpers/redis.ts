import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import { RedisConnection } from '../../lib/redis/redis-connection.js'
import { parseRedisUrl } from '../../lib/redis/redis-url.js'
import { freePort } from './nginx.js'
import { temporaryFolder } from './server.js'
import { REDIS } from './services.js'

/** A Redis of this test's own, on a free port of the loopback interface. What it has answered outlives its process. */
export class TestRedis {
  readonly url: string
  readonly port: number
  readonly #arguments: readonly string[]
  #child: ChildProcess | undefined

  private constructor (port: number, args: readonly string[], url: string) {
    this.port = port
    this.url = url
    this.#arguments = args
  }

  /** @param more - arguments of redis-server */
  static async start (t: Test, ...more: string[]): Promise<TestRedis> {
    const port = await freePort()
    const folder = await temporaryFolder(t)
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--appendonly', 'yes', '--appendfsync', 'no', '--save', '', ...more]
    const redis = new TestRedis(port, args, `redis://127.0.0.1:${port}`)
    t.teardown(() => redis.kill())
    await redis.start()
    return redis
  }

  /** Starts it, or starts it again with what it had written; resolves when it serves. */
  async start (): Promise<void> {
    const child = spawn(REDIS, this.#arguments, { stdio: ['ignore', 'pipe', 'ignore'] })
    this.#child = child
    let output = ''
    const ready = new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        output += `${line}\n`
        if (/Ready to accept connections/.test(line)) resolve()
      })
    })
    await Promise.race([ready, once(child, 'exit').then(() => { throw new Error(`redis-server ended: ${output}`) })])
  }

  async kill (): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  /** Nothing is answered from now on, and no connection breaks. */
  freeze (): void {
    this.#child?.kill('SIGSTOP')
  }

  thaw (): void {
    this.#child?.kill('SIGCONT')
  }

  /** A connection that is closed when the test ends. */
  async connect (t: Test): Promise<RedisConnection> {
    const connection = await RedisConnection.open(parseRedisUrl(this.url))
    t.teardown(() => connection.close())
    return connection
  }
}

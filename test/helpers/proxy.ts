import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A connection on which the client's bytes go no further. */
export interface Held {
  /** Resets it on both sides. */
  readonly cut: () => void
}

export interface Proxy {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  /** Holds the connection on which the last of so many bytes goes to the server, those of all connections together from now on; the others pass. */
  readonly hold: (bytes: number) => Promise<Held>
  /** Holds the connection on which a request for this path begins, from before it. */
  readonly holdAt: (path: string) => Promise<Held>
  /** Resets every connection, and each that is made from now on. @returns what has the network back */
  readonly breakDown: () => () => void
}

/** A network that can break in the middle of a request: passes bytes on, and knows nothing of HTTP. */
export async function startProxy (t: Test, target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target)
  const open = new Set<Socket>()
  let isDown = false
  let trap: { left: number, readonly path?: string, readonly caught: (held: Held) => void } | undefined

  async function forward (client: Socket, upstream: Socket): Promise<void> {
    for await (const bytes of client.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      const isMeant = trap?.path !== undefined && bytes.includes(`${trap.path} HTTP/1.1\r\n`)
      if (!isMeant && !upstream.write(bytes)) await once(upstream, 'drain')
      if (trap === undefined) continue
      trap.left -= bytes.length
      if (!isMeant && trap.left > 0) continue
      trap.caught({ cut: () => { for (const socket of [client, upstream]) socket.resetAndDestroy() } })
      trap = undefined
      return
    }
    upstream.end()
  }

  const server = createServer((client) => {
    if (isDown) {
      client.on('error', () => {}).resetAndDestroy()
      return
    }
    const upstream = connect({ host: hostname, port: Number(port) })
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      open.add(socket)
      socket.on('error', () => {}).once('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
    upstream.pipe(client)
    forward(client, upstream).catch(() => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port')
  return {
    origin: `http://127.0.0.1:${address.port}`,
    hold: (bytes) => new Promise((resolve) => { trap = { left: bytes, caught: resolve } }),
    holdAt: (path) => new Promise((resolve) => { trap = { left: Infinity, path, caught: resolve } }),
    breakDown () {
      isDown = true
      for (const socket of open) socket.resetAndDestroy()
      return () => { isDown = false }
    }
  }
}

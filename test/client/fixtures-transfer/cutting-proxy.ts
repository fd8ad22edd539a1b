import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import type { Connection } from '../../../client/http.js'

/** A network that breaks where it is told to: it passes bytes on and knows nothing of HTTP. */
export interface CuttingProxy {
  readonly connection: Connection
  /** Resets the connection on which the byte passes that is so many behind now, in all of this direction; then the next cut counts. */
  readonly cut: (direction: Direction, ...bytes: readonly number[]) => void
  /** How many cuts there were. */
  readonly cuts: () => number
  /** Where connections go from now on. */
  readonly moveTo: (origin: string) => void
}

type Direction = 'up' | 'down'

export async function startCuttingProxy (t: Test, origin: string): Promise<CuttingProxy> {
  const open = new Set<Socket>()
  const waiting: Array<{ readonly direction: Direction, left: number }> = []
  let target = new URL(origin)
  let cuts = 0

  const pass = (from: Socket, to: Socket, direction: Direction): void => {
    from.on('data', (bytes: Buffer) => {
      const [next] = waiting
      if (next?.direction === direction) {
        if (bytes.length >= next.left) {
          waiting.shift()
          cuts += 1
          to.write(bytes.subarray(0, next.left), () => {
            for (const socket of [from, to]) socket.resetAndDestroy()
          })
          from.pause()
          return
        }
        next.left -= bytes.length
      }
      if (to.write(bytes)) return
      from.pause()
      to.once('drain', () => { from.resume() })
    })
    from.on('end', () => { to.end() })
  }

  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port) })
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      open.add(socket)
      socket.on('error', () => {}).once('close', () => {
        open.delete(socket)
        other.destroy()
      })
    }
    pass(client, upstream, 'up')
    pass(upstream, client, 'down')
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
    connection: { server: `http://127.0.0.1:${address.port}` },
    cut: (direction, ...bytes) => { waiting.push(...bytes.map((left) => ({ direction, left }))) },
    cuts: () => cuts,
    moveTo: (moved) => { target = new URL(moved) }
  }
}

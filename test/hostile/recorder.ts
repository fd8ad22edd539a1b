import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

export interface Recorder {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string
  /** All bytes so far: of each connection, what went to the server and what came back. */
  readonly recorded: () => Uint8Array[]
}

/** A wire that remembers everything. */
export async function startRecorder (t: Test, target: string): Promise<Recorder> {
  const { hostname, port } = new URL(target)
  const records: Buffer[][] = []
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect({ host: hostname, port: Number(port) })
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      const record: Buffer[] = []
      records.push(record)
      open.add(from)
      from.on('data', (bytes: Buffer) => record.push(bytes)).on('error', () => {}).once('close', () => {
        open.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the recorder has no port')
  return { origin: `http://127.0.0.1:${address.port}`, recorded: () => records.map((record) => Buffer.concat(record)) }
}

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A bare connection, for what no HTTP client would send. */
export async function connectTo (origin: string): Promise<Socket> {
  const { hostname, port } = new URL(origin)
  const socket = connect({ host: hostname, port: Number(port) })
  await once(socket, 'connect')
  return socket
}

/** Sends bytes and reads until the server has answered once and closed, or `ms` have passed. @returns what came */
export async function exchange (origin: string, pieces: Iterable<string | Uint8Array>, ms = 10_000): Promise<string> {
  const socket = await connectTo(origin)
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => { answer += text })
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  const timer = setTimeout(() => { socket.destroy() }, ms)
  for (const piece of pieces) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), closed])
  }
  await closed
  clearTimeout(timer)
  return answer
}

/** The head of a POST; the connection is to be closed after the answer. */
export const postHead = (path: string, headers: Record<string, string | number>): string =>
  `POST ${path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`

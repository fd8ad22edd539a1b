import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import fp from 'fastify-plugin'

/** Milliseconds in which a request that is on its way arrives, to be told that the server stops. */
const ARRIVAL = 250

/**
 * Ends the connections that have not brought a request when the server stops: browsers and libraries open some ahead, and Node
 * would wait a minute for each. Registered last, so that whoever connects while transfers end is still told that the server stops.
 */
export default fp((app) => {
  // A request's socket may be another one around the one that was connected; their peer is the same.
  const unused = new Map<string, Socket>()
  const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`
  app.server.on('connection', (socket: Socket) => {
    const peer = peerOf(socket)
    unused.set(peer, socket)
    socket.once('close', () => { if (unused.get(peer) === socket) unused.delete(peer) })
  })
  // With an Expect header, Node tells of a request in another way.
  for (const event of ['request', 'checkContinue', 'checkExpectation']) app.server.on(event, ({ socket }: IncomingMessage) => { unused.delete(peerOf(socket)) })
  app.addHook('preClose', async () => {
    if (unused.size > 0) await delay(ARRIVAL)
    for (const socket of unused.values()) socket.destroy()
  })
  return Promise.resolve()
}, { name: 'unused-connections' })

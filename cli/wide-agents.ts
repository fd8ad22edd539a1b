/**
 * Agents whose sockets read up to 256 KiB at once, into one buffer for all of them. Node's own read 64 KiB, or a record of 16 KiB over
 * TLS, into a new one each time: a receiver then takes 13 % more processor time, or 6 % over TLS (docs/performance.md).
 */

import { Agent as HttpAgent, type ClientRequestArgs } from 'node:http'
import { Agent as HttpsAgent, type RequestOptions } from 'node:https'
import type { ConnectOpts } from 'node:net'
import type { Duplex } from 'node:stream'

/** Overwritten with each read: node:http's parser, which listens for 'data', copies what it keeps before it returns. */
const buffer = Buffer.allocUnsafeSlow(2 ** 18)

type Connected = Duplex | null | undefined

export class WideHttpAgent extends HttpAgent {
  override createConnection (options: ClientRequestArgs, callback?: (error: Error | null, stream: Duplex) => void): Connected {
    return readingWide(options, (wide) => super.createConnection(wide, callback))
  }
}

export class WideHttpsAgent extends HttpsAgent {
  override createConnection (options: RequestOptions, callback?: (error: Error | null, stream: Duplex) => void): Connected {
    return readingWide(options, (wide) => super.createConnection(wide, callback))
  }
}

function readingWide <Options> (options: Options, connect: (wide: Options & ConnectOpts) => Connected): Connected {
  const callback = (length: number): boolean => {
    socket?.emit('data', buffer.subarray(0, length))
    return true
  }
  const socket = connect({ ...options, onread: { buffer, callback } })
  return socket
}

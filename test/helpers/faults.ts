import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'

/** What goes wrong with a request. `lost`: it is done, and the answer does not arrive. `cut`: half of the answer does, `stalled`:
 * and the connection stays. */
export type Fault = 'error' | 'slow-down' | 'lost' | 'cut' | 'stalled' | 'late'

export interface FaultyProxy {
  readonly origin: string
  /** Lets the next requests of this kind go wrong, so many of them. */
  readonly inject: (fault: Fault, isMeant: (request: { readonly method: string, readonly url: string }) => boolean, times?: number) => void
  /** From now on keeps itself what comes with `If-None-Match: *`, which the test server does not know. */
  readonly conditional: () => void
  /** What has come to be stored: the headers, and the SHA-256 of the body in base64. */
  readonly puts: ReadonlyArray<{ readonly headers: IncomingHttpHeaders, readonly sha256: string }>
  /** Requests that came so far, by method. */
  readonly count: (method: string) => number
}

/** HTTP in front of an S3 server, on which requests go wrong. The host's name stays: it is signed. */
export async function startFaults (t: Test, target: string): Promise<FaultyProxy> {
  const faults: Array<{ readonly fault: Fault, readonly isMeant: (request: { readonly method: string, readonly url: string }) => boolean, left: number }> = []
  const kept = new Map<string, { readonly body: Buffer, readonly writer: string }>()
  const counts = new Map<string, number>()
  const puts: Array<{ readonly headers: IncomingHttpHeaders, readonly sha256: string }> = []
  let conditional = false

  /** Stands in for storage that knows conditional writes: a signed condition cannot be taken off on the way. @returns whether it has answered */
  function keep ({ method, url = '', headers }: IncomingMessage, body: Buffer, response: ServerResponse, isLost: boolean): boolean {
    const [path = ''] = url.split('?')
    const object = kept.get(path)
    if (method === 'PUT' && headers['if-none-match'] === '*') {
      if (object === undefined) kept.set(path, { body, writer: String(headers['x-amz-meta-writer']) })
      if (isLost) response.destroy()
      else response.writeHead(object === undefined ? 200 : 412, { etag: '"1"' }).end()
      return true
    }
    if (object === undefined) return false
    if (method === 'DELETE') kept.delete(path)
    if (method === 'DELETE') response.writeHead(204).end()
    else response.writeHead(200, { etag: '"1"', 'content-length': object.body.length, 'x-amz-meta-writer': object.writer }).end(object.body)
    return true
  }

  async function handle (incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = incoming
    counts.set(method, (counts.get(method) ?? 0) + 1)
    const planned = faults.find(({ isMeant, left }) => left > 0 && isMeant({ method, url }))
    if (planned !== undefined) planned.left -= 1
    const fault = planned?.fault
    const body: Buffer[] = []
    for await (const piece of incoming) body.push(piece as Buffer)
    if (method === 'PUT') puts.push({ headers, sha256: createHash('sha256').update(Buffer.concat(body)).digest('base64') })
    if (fault === 'late') await delay(1000)
    if (fault === 'error' || fault === 'slow-down') {
      response.writeHead(fault === 'error' ? 500 : 503, { 'content-type': 'application/xml' }).end(`<Error><Code>${fault === 'error' ? 'InternalError' : 'SlowDown'}</Code><Message>injected</Message></Error>`)
      return
    }
    if (conditional && keep(incoming, Buffer.concat(body), response, fault === 'lost')) return
    const outgoing = request(target, { method, path: url, headers, setHost: false, agent: false })
    // Swift ends its answers to HEAD with a body, at times.
    outgoing.on('error', () => {})
    outgoing.end(Buffer.concat(body))
    const [answer] = await once(outgoing, 'response') as [IncomingMessage]
    const content: Buffer[] = []
    for await (const piece of answer) content.push(piece as Buffer)
    if (fault === 'lost') {
      response.destroy()
      return
    }
    response.writeHead(answer.statusCode ?? 500, answer.headers)
    const all = Buffer.concat(content)
    if (fault === 'cut') response.write(all.subarray(0, all.length / 2), () => { response.destroy() })
    else if (fault === 'stalled') response.write(all.subarray(0, all.length / 2))
    else response.end(all)
  }

  const server = createServer((incoming, response) => { handle(incoming, response).catch(() => { response.destroy() }) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    inject: (fault, isMeant, times = 1) => { faults.push({ fault, isMeant, left: times }) },
    puts,
    conditional: () => { conditional = true },
    count: (method) => counts.get(method) ?? 0
  }
}

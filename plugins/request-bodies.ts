import type { IncomingMessage, ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { LocalSendError } from '../lib/errors.js'
import { gathered } from '../lib/files/gathered.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** Tells a client that waits for `100 Continue` to send its body; to be called before a streamed body is read. */
    askForBody (): void
    /** The body as it arrives, asked for when its first piece is. */
    pieces (): AsyncGenerator<Uint8Array, void>
  }
  interface FastifyContextConfig {
    /** `streamed`: the handler reads the body itself, and asks for it when nothing speaks against it any more. */
    body?: 'streamed'
  }
}

/** Answers of requests whose client waits for `100 Continue`. */
const waiting = new WeakMap<IncomingMessage, ServerResponse>()
/** Milliseconds for which the rest of a refused body is read, so that the client can read the answer. */
const LINGER = 5000
/** Milliseconds that a body which is read whole may take. */
const BODY_TIMEOUT = 30_000

/**
 * What HTTP/1.1 asks of a server that takes large bodies (RFC 9110, section 10.1.1; RFC 9112, section 9.6): a body announced by
 * `Expect: 100-continue` is asked for only when the request has not been refused already, and the rest of a refused body is
 * read for a while, since closing at once would reset the connection and lose the answer.
 */
export default fp((app) => {
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.set(request, response)
    app.routing(request, response)
  })
  // Another expectation may be passed over. Node would answer it in a form of its own.
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => { app.routing(request, response) })
  app.decorateRequest('askForBody', askForBody)
  app.decorateRequest('pieces', pieces)
  app.addHook('preParsing', (request, _reply, payload, done) => {
    if (request.routeOptions.config.body !== 'streamed') {
      sayContinue(request)
      limitTime(request)
    }
    done(null, payload)
  })

  app.addHook('onSend', (request, reply, payload, done) => {
    if (reply.statusCode < 400 || typeof payload !== 'string') {
      done(null, payload)
      return
    }
    if (request.raw.complete) {
      // As long as something of the body lies unread in a buffer, the connection would count as busy.
      drain(request.raw)
      done(null, payload)
      return
    }
    if (waiting.has(request.raw)) {
      // Whether the client sends the body all the same is its choice: only a new connection is certain to be in step.
      void reply.header('connection', 'close')
      done(null, payload)
      return
    }
    // A connection that is still being read when the server stops would otherwise outlive it as an idle one.
    void reply.headers({ connection: 'close', 'content-length': Buffer.byteLength(payload) })
    done(null, Readable.from(withDrain(payload, request.raw), { objectMode: false }))
  })
  return Promise.resolve()
}, { name: 'request-bodies', dependencies: ['auth', 'connection'] })

function askForBody (this: FastifyRequest): void {
  sayContinue(this)
  // Not before: what the server has to do first, such as reading a stored upload again, is not the client's delay.
  this.watchPace()
}

function sayContinue ({ raw }: FastifyRequest): void {
  waiting.get(raw)?.writeContinue()
  waiting.delete(raw)
}

async function * pieces (this: FastifyRequest): AsyncGenerator<Uint8Array, void> {
  this.askForBody()
  // The connection must outlive the body, for the answer.
  yield * gathered(this.raw)
}

/** A body that is read whole has to arrive soon, however steadily its bytes trickle. */
function limitTime ({ raw }: FastifyRequest): void {
  if (raw.headers['content-length'] === undefined && raw.headers['transfer-encoding'] === undefined) return
  const timer = setTimeout(() => {
    // Whoever reads the body takes it for a failure of the request, and answers; to destroy it would take the connection along.
    if (!raw.complete && raw.listenerCount('error') > 0) raw.emit('error', new LocalSendError('REQUEST_TIMEOUT'))
  }, BODY_TIMEOUT).unref()
  raw.once('close', () => { clearTimeout(timer) })
}

/** Reads the rest of a body, and drops it. Whoever still waits for a piece of it would stop it again. */
function drain (request: IncomingMessage): void {
  request.unpipe()
  request.removeAllListeners('data')
  request.resume()
}

/** The answer at once, its end only when the rest of the request has been read, or time is up. */
async function * withDrain (payload: string, request: IncomingMessage): AsyncGenerator<string, void> {
  yield payload
  const timer = setTimeout(() => { request.socket.destroy() }, LINGER)
  drain(request)
  await finished(request, { writable: false }).catch(() => {})
  clearTimeout(timer)
}

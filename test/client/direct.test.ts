import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { DirectListener } from '../../cli/direct/listener.js'
import { unproxiedFetch } from '../../cli/unproxied-fetch.js'
import { DirectReceiving } from '../../client/direct-receiving.js'
import { DirectSending } from '../../client/direct-sending.js'
import { DirectKey, directRequest } from '../../client/direct.js'
import type { Connection } from '../../client/http.js'
import { MemoryJournal } from '../../client/journal.js'
import type { Content } from '../../client/pieces.js'
import { listFiles, type OfferedFile } from '../../client/offers.js'
import { confirmReceived, receiveFile } from '../../client/receive.js'
import { sendFiles, type SendOutcome } from '../../client/send.js'
import { apiOf, type Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import { isFileId } from '../../lib/ids.js'
import { newFileId } from '../../lib/new-ids.js'
import { randomContent } from '../helpers/client.js'
import { eventually } from '../helpers/events.js'
import { startCuttingProxy } from './fixtures-transfer/cutting-proxy.js'
import { bytesOf, CHUNK, codeOf, collect, DAY, QUICK, recorded, sha256, startPlace, type Place } from './fixtures-transfer/place.js'

/** More than one piece, here and at the server. */
const CONTENT = randomContent(50 * CHUNK + 77)

interface Sending extends Place {
  readonly listener: DirectListener
  readonly outcomes: Promise<readonly SendOutcome[]>
  readonly file: OfferedFile
  readonly source: ReturnType<typeof recorded>
  /** How often the receiver began to get something from here. */
  readonly begun: () => number
  /** Lets what is sent through to the server. */
  readonly letThrough: () => void
  /** Ends the sending. */
  readonly end: () => void
}

/** A source that is being sent, of which the server gets nothing until it is let through. */
async function startSending (t: Test, { source = recorded(CONTENT), retry = QUICK }: { source?: ReturnType<typeof recorded>, retry?: typeof QUICK } = {}): Promise<Sending> {
  const place = await startPlace(t)
  let begun = 0
  const listener = await DirectListener.open(place.creator, () => { begun += 1 })
  if (listener === undefined) throw new Error('This machine lets nobody listen.')
  t.teardown(() => listener.close())
  const ending = new AbortController()
  const { connection, letThrough } = held(place.connection)
  const outcomes = collect(sendFiles(connection, place.creator, [source], { journal: new MemoryJournal(), direct: listener.sending, retry, signal: ending.signal }))
  outcomes.catch(() => {})
  t.teardown(() => { ending.abort() })
  const end = (): void => { ending.abort(new Error('the end')) }
  const file = await offered(place)
  return { ...place, listener, outcomes, file, source, begun: () => begun, letThrough, end }
}

/** A network that holds the pieces of uploads. */
function held ({ server }: Connection): { readonly connection: Connection, readonly letThrough: () => void } {
  let letThrough = (): void => {}
  const open = new Promise<void>((resolve) => { letThrough = resolve })
  return {
    connection: {
      server,
      fetch: async (url, init) => {
        const gone = new Promise<never>((_resolve, reject) => {
          init.signal?.addEventListener('abort', () => { reject(new Error('aborted')) }, { once: true })
          if (init.signal?.aborted === true) reject(new Error('aborted'))
        })
        gone.catch(() => {})
        if (init.method === 'PATCH') await Promise.race([open, gone])
        return await fetch(url, init)
      }
    },
    letThrough
  }
}

async function offered ({ connection, joiner }: Place): Promise<OfferedFile> {
  let found: OfferedFile | undefined
  await eventually(async () => {
    const [offer] = await collect(listFiles(connection, joiner))
    found = offer !== undefined && 'name' in offer ? offer : undefined
    return found !== undefined
  })
  if (found === undefined) throw new Error('nothing is offered')
  return found
}

async function keyOf (member: Member): Promise<DirectKey> {
  const key = await DirectKey.of(member)
  if (key === undefined) throw new Error('no key')
  return key
}

const receiving = (member: Member): DirectReceiving => new DirectReceiving(member, unproxiedFetch({ patience: 2000 }))

/** The receiver has it and says so, which the sender is told by an event. */
async function confirm ({ connection, joiner, listener, file }: Sending): Promise<void> {
  await confirmReceived(connection, joiner, [file.fileId])
  listener.sending.received(file.fileId)
}

t.test('a file that is being sent goes past the server', async (t) => {
  const sending = await startSending(t)
  const { connection, creator, joiner, file, outcomes, source } = sending
  t.ok((file.direct ?? []).length > 0)
  t.equal(sha256(await bytesOf(receiveFile(connection, joiner, file, { direct: receiving(joiner) }))), sha256(CONTENT))
  await confirm(sending)
  t.match(await outcomes, [{ fileId: file.fileId, size: CONTENT.length, resumed: false }])
  const { files: [listed] } = await apiOf(connection, creator).files()
  t.match(listed, { state: 'uploading', offset: 0, received: 1 }, 'the server has nothing of it')
  t.equal(sending.begun(), 1)
  t.ok(source.reads.length <= 2)
})

t.test('what is not taken from here goes to the server', async (t) => {
  const { connection, joiner, file, outcomes, letThrough, begun } = await startSending(t)
  const received = bytesOf(receiveFile(connection, joiner, file))
  letThrough()
  t.equal(sha256(await received), sha256(CONTENT))
  t.match(await outcomes, [{ fileId: file.fileId }])
  t.equal(begun(), 0)
})

t.test('over cuts, and on by the server when this side is out of reach', async (t) => {
  for (const outOfReach of [false, true]) {
    const sending = await startSending(t)
    const { connection, joiner, file, outcomes, letThrough, begun } = sending
    const proxy = await startCuttingProxy(t, `http://${file.direct?.[0] ?? ''}`)
    const direct = receiving(joiner)
    // The first bytes are those of the answer to whether it is there.
    proxy.cut('down', 20 * CHUNK)
    const reached = { ...file, direct: [new URL(proxy.connection.server).host] }
    const pieces = receiveFile(connection, joiner, reached, { direct, retry: { ...QUICK, tries: 50 } })
    const first = await pieces.next()
    if (outOfReach) proxy.moveTo('http://127.0.0.1:1')
    if (outOfReach) letThrough()
    const rest = await bytesOf(pieces)
    t.equal(sha256(Buffer.concat([first.value ?? Buffer.alloc(0), rest])), sha256(CONTENT))
    t.equal(proxy.cuts(), 1)
    t.equal(begun(), outOfReach ? 1 : 2)
    if (!outOfReach) await confirm(sending)
    t.match(await outcomes, [{ fileId: file.fileId }])
  }
})

t.test('a receiver who goes away in the middle leaves nothing undone', async (t) => {
  const { connection, joiner, file, outcomes, letThrough, begun } = await startSending(t)
  const pieces = receiveFile(connection, joiner, file, { direct: receiving(joiner) })
  t.match(await pieces.next(), { done: false })
  await pieces.return()
  letThrough()
  t.match(await outcomes, [{ fileId: file.fileId }])
  t.equal(begun(), 1)
  const [ready] = await collect(listFiles(connection, joiner))
  t.match(ready, { state: 'ready' })
  t.equal(sha256(await bytesOf(receiveFile(connection, joiner, file, { direct: receiving(joiner) }))), sha256(CONTENT), 'from the server, by an address where it is not to be had any more')
})

t.test('another process of the receiver goes on where he was', async (t) => {
  const sending = await startSending(t)
  const { connection, joiner, file, outcomes, begun } = sending
  let header: Uint8Array<ArrayBuffer> | undefined
  const held: Uint8Array[] = []
  let size = 0
  for await (const piece of receiveFile(connection, joiner, file, { direct: receiving(joiner), onStart: (start) => { header = start.header } })) {
    held.push(piece.slice())
    size += piece.length
    if (size > 40 * CHUNK) break
  }
  let at = -1
  const rest = await bytesOf(receiveFile(connection, joiner, file, { direct: receiving(joiner), from: size, header, onStart: (start) => { at = start.at } }))
  t.equal(at, size - CHUNK, 'the last chunk comes again')
  t.equal(sha256(Buffer.concat([Buffer.concat(held).subarray(0, at), rest])), sha256(CONTENT))
  t.equal(begun(), 2)
  await confirm(sending)
  t.match(await outcomes, [{ fileId: file.fileId }])
})

t.test('nobody gets anything who is not in the session, nor twice for one token, nor what is not being sent', async (t) => {
  const { creator, file, listener } = await startSending(t)
  const key = await keyOf(creator)
  const own = `/${creator.sessionId}/download/${file.fileId}`
  const ask = async (method: string, path: string, { token, range }: { token: string | undefined, range?: string }): Promise<number> => {
    const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...(range !== undefined && { range }) }
    const response = await fetch(`http://${listener.sending.addresses[0] ?? ''}/api/session${path}`, { method, headers })
    await response.body?.cancel()
    return response.status
  }
  const rightly = async (method: string, path: string, from = 0): Promise<number> =>
    await ask(method, path, { token: await key.token(directRequest(method, path, from)), ...(from > 0 && { range: `bytes=${from}-` }) })

  t.equal(await rightly('HEAD', own), 200)
  const head = await key.token(directRequest('HEAD', own, 0))
  const foreign = await keyOf({ ...creator, contentKey: new Uint8Array(32) })
  for (const token of [undefined, '', creator.token, 'A'.repeat(64), `${head}A`, await foreign.token(directRequest('GET', own, 0)), head, await key.token(directRequest('GET', own, 5))]) {
    t.equal(await ask('GET', own, { token }), 401, 'a token for nothing, or for something else')
  }
  t.equal(await ask('HEAD', own, { token: head }), 200)
  t.equal(await ask('HEAD', own, { token: head }), 401, 'for the second time')
  for (const range of ['bytes=-5', 'bytes=5-9', 'chunks=0-', `bytes=${'9'.repeat(20)}-`]) t.equal(await ask('GET', own, { token: await key.token(directRequest('GET', own, 0)), range }), 401, range)
  t.equal(await rightly('GET', own.replace(file.fileId, '0'.repeat(32))), 404, 'another file')
  t.equal(await rightly('GET', own.replace(creator.sessionId, '00000000')), 404, 'another session')
  const length = file.stored ?? 0
  for (const from of [length, length - 1, 2 * length]) t.equal(await rightly('GET', own, from), 404, 'what has not been sealed, or is none')
})

t.test('whoever asks again gets the answer in the place of one that he does not take any more', async (t) => {
  const sending = await startSending(t)
  const { connection, joiner, file, outcomes, listener } = sending
  const key = await keyOf(joiner)
  const path = `/${joiner.sessionId}/download/${file.fileId}`
  const { port } = new URL(`http://${listener.sending.addresses[0] ?? ''}`)
  const socket = connect(Number(port), '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.pause().on('error', () => {})
  socket.write(`GET /api/session${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${await key.token(directRequest('GET', path, 0))}\r\n\r\n`)
  await eventually(() => sending.begun() === 1)
  t.equal(sha256(await bytesOf(receiveFile(connection, joiner, file, { direct: receiving(joiner) }))), sha256(CONTENT))
  t.equal(sending.begun(), 2)
  await confirm(sending)
  t.match(await outcomes, [{ fileId: file.fileId }])
})

t.test('sending ends with its signal while a receiver takes nothing', async (t) => {
  const { joiner, file, outcomes, end, begun } = await startSending(t)
  const pieces = receiveFile({ server: 'http://127.0.0.1:1' }, joiner, file, { direct: receiving(joiner) })
  await pieces.next()
  t.equal(begun(), 1)
  end()
  t.equal(await codeOf(outcomes), 'Error: the end')
  await codeOf(pieces.return())
})

t.test('who has it already gets nothing sent, by another run of the sender either', async (t) => {
  const place = await startPlace(t)
  const sending = new DirectSending(['192.0.2.1:54321'])
  const { connection } = held(place.connection)
  const journal = new MemoryJournal()
  const stop = new AbortController()
  const first = collect(sendFiles(connection, place.creator, [recorded(CONTENT)], { journal, direct: sending, signal: stop.signal }))
  first.catch(() => {})
  const { fileId } = await offered(place)
  await eventually(async () => ((await journal.load('file.bin'))?.noted ?? 0) > 0)
  stop.abort(new Error('the end'))
  await codeOf(first)
  const again = new DirectSending(['192.0.2.1:54321'])
  again.received(fileId)
  const progress: number[] = []
  const outcomes = await collect(sendFiles(connection, place.creator, [recorded(CONTENT)], { journal, direct: again, onProgress: ({ sent }) => { progress.push(sent) } }))
  t.match(outcomes, [{ fileId, size: CONTENT.length, resumed: true }])
  t.same(progress, [CONTENT.length])
})

t.test('the upload of a large file leaves off for a moment while somebody joins', async (t) => {
  const { signal } = new AbortController()
  const contentOf = (length: number): Content => ({ length, begun: 0, repeatable: true, async * pieces () { yield await Promise.resolve({ offset: 0, bytes: new Uint8Array(5), last: true, sent: 5 }) } })
  const sending = new DirectSending(['192.0.2.1:54321'])
  sending.expect('joining')
  const large = sending.begin(newFileId(), contentOf(2 ** 26))
  t.notOk(large.whenAsked().aborted)
  const news = large.whenAsked()
  sending.expect('joined')
  t.ok(news.aborted, 'what is under way leaves off')
  t.ok(large.whenAsked().aborted)
  t.notOk(await large.handOut(() => {}, signal), 'nobody came')
  t.notOk(large.whenAsked().aborted)

  sending.expect('joined')
  const handedOut = large.handOut(() => {}, signal)
  let cutOff = false
  sending.ask({
    fileId: large.fileId,
    from: 0,
    signal,
    refuse: () => { t.fail('refused') },
    answer: async (_size, bytes, over) => {
      sending.expect('joined')
      for await (const piece of bytes) t.equal(piece.length, 5)
      cutOff = over.aborted
      sending.received(large.fileId)
    }
  })
  t.ok(await handedOut, 'who came instead of being waited for')
  t.notOk(cutOff, 'the next one who joins is no reason to leave him')

  const small = sending.begin(newFileId(), contentOf(2 ** 26 - 1))
  sending.expect('joined')
  t.notOk(small.whenAsked().aborted)
})

t.test('how often the upload left off for a receiver is no failure of it', async (t) => {
  const { connection, joiner, file, outcomes, letThrough, begun } = await startSending(t, { retry: { tries: 2, delay: 10, longest: 10 } })
  for (let i = 1; i <= 4; i++) {
    const pieces = receiveFile(connection, joiner, file, { direct: receiving(joiner) })
    await pieces.next()
    await pieces.return()
    t.equal(begun(), i)
  }
  letThrough()
  t.match(await outcomes, [{ fileId: file.fileId }])
})

t.test('a hostile sender has few addresses asked', async (t) => {
  const { joiner, file } = await startSending(t)
  const asked = new Set<string>()
  const direct = new DirectReceiving(joiner, (url) => {
    asked.add(new URL(url).host)
    return Promise.reject(new Error('nobody'))
  })
  for (let i = 0; i < 20; i++) {
    const addresses = Array.from({ length: 8 }, (_, j) => `192.0.2.${8 * i + j}:54321`)
    t.equal(await direct.download({ ...file, direct: addresses }, i, new AbortController().signal), undefined)
  }
  t.equal(asked.size, 32)
})

t.test('what a false machine sends does no harm', async (t) => {
  const { connection, joiner, file, letThrough, outcomes } = await startSending(t)
  letThrough()
  await outcomes
  const stored = Buffer.from(await (await fetch(`${connection.server}/api/session/${joiner.sessionId}/download/${file.fileId}`, { headers: { authorization: `Bearer ${joiner.token}` } })).arrayBuffer())
  const altered = (at: number): Buffer => {
    const bytes = Buffer.from(stored)
    bytes[at] = ~(bytes[at] ?? 0)
    return bytes
  }
  const cases: Readonly<Record<string, RequestListener>> = {
    'another first byte': (_request, response) => { response.end(altered(0)) },
    'another header': (_request, response) => { response.end(altered(60)) },
    'another first chunk': (_request, response) => { response.end(altered(100)) },
    'another chunk': (_request, response) => { response.end(altered(20 * CHUNK)) },
    'another last byte': (_request, response) => { response.end(altered(stored.length - 1)) },
    'less than all': (_request, response) => { response.end(stored.subarray(0, 30 * CHUNK)) },
    'more than all': (_request, response) => { response.end(Buffer.concat([stored, stored])) },
    nothing: (_request, response) => { response.end() },
    'an end before the end': (_request, response) => { response.writeHead(200, { 'content-length': stored.length }).write(stored.subarray(0, 30 * CHUNK), () => { response.destroy() }) },
    'a redirection': (_request, response) => { response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end() },
    'an error': (_request, response) => { response.writeHead(500).end() },
    'no answer': (request) => { request.socket.destroy() }
  }
  for (const [name, answer] of Object.entries(cases)) {
    let asked = 0
    const server = createServer((request, response) => {
      if (request.method === 'GET') asked += 1
      if (request.method === 'HEAD') response.end()
      else answer(request, response)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(() => server.close())
    const address = server.address()
    const direct = [`127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}`]
    let starts = 0
    const received = await bytesOf(receiveFile(connection, joiner, { ...file, direct }, { direct: receiving(joiner), retry: QUICK, onStart: () => { starts += 1 } }))
    t.equal(sha256(received), sha256(CONTENT), name)
    t.ok(asked > 0, 'it was asked')
    t.equal(starts, 1)
  }
})

t.test('a source that changes while it is handed out is sent anew under another id', async (t) => {
  let version = CONTENT
  const source: ReturnType<typeof recorded> = {
    ...recorded(CONTENT),
    async * read (offset) {
      const shown = version
      for (let at = offset; at < shown.length; at += 65_536) {
        if (at === 40 * CHUNK && shown === CONTENT) {
          version = CONTENT.slice(0, 60_000 * 50)
          return
        }
        yield await Promise.resolve(shown.slice(at, at + 65_536))
      }
    },
    renew: () => Promise.resolve<Source>({ ...recorded(version), modified: new Date(DAY.getTime() + 1000) })
  }
  const { connection, joiner, file, outcomes, letThrough } = await startSending(t, { source })
  const failed = await codeOf(bytesOf(receiveFile(connection, joiner, file, { direct: receiving(joiner), retry: QUICK })))
  t.match(failed, /^(?:FILE_NOT_FOUND|NETWORK)$/)
  letThrough()
  const [outcome] = await outcomes
  t.ok(outcome !== undefined && 'fileId' in outcome && isFileId(outcome.fileId) && outcome.fileId !== file.fileId)
  t.equal(sha256(await bytesOf(receiveFile(connection, joiner, await offered({ connection, joiner } as Place)))), sha256(version))
})

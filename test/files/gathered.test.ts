import { once } from 'node:events'
import { createServer, connect, type Socket } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { concat } from '../../lib/crypto/bytes.js'
import { gathered } from '../../lib/files/gathered.js'
import { SLOT_SIZE } from '../../lib/files/memory-budget.js'
import { randomContent } from '../helpers/client.js'

async function socketPair (t: Test): Promise<{ readonly near: Socket, readonly far: Socket }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens')
  const near = connect(address.port, '127.0.0.1')
  const [far] = await once(server, 'connection') as [Socket]
  t.teardown(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return { near, far }
}

t.test('what a socket brings comes in pieces that are the reader\'s own', async (t) => {
  const { near, far } = await socketPair(t)
  const content = randomContent(40 * 2 ** 20)
  far.end(content)
  const pieces: Uint8Array[] = []
  for await (const piece of gathered(near)) {
    pieces.push(new Uint8Array(piece))
    piece.fill(0)
  }
  t.ok(concat(...pieces).every((byte, i) => byte === content[i]), 'all of it, in order')
  t.ok(pieces.every(({ length }) => length <= SLOT_SIZE), 'and each has room in a slot')
})

t.test('what is there in one turn is one piece', async (t) => {
  const content = randomContent(40 * 2 ** 20)
  let at = 0
  // A socket whose other side is never late: how much a real one brings in a turn is for the machine to say.
  const stream = new Readable({
    read () {
      this.push(at < content.length ? content.subarray(at, at += 2 ** 16) : null)
    }
  })
  const lengths: number[] = []
  for await (const { length } of gathered(stream)) lengths.push(length)
  t.ok(lengths.length < content.length / 2 ** 16 / 2, `${lengths.length} pieces`)
  t.equal(lengths.reduce((sum, length) => sum + length), content.length)
})

t.test('a piece waits for nothing that has not come', async (t) => {
  const stream = new PassThrough()
  const pieces = gathered(stream)
  for (const text of ['one', 'two']) {
    const next = pieces.next()
    stream.write(text)
    t.equal(Buffer.from((await next).value ?? []).toString(), text)
  }
  stream.end()
  t.same(await pieces.next(), { value: undefined, done: true })
})

t.test('nothing is read ahead, and a stream that is left goes on for others', async (t) => {
  const stream = new PassThrough()
  const pieces = gathered(stream)
  stream.write('one')
  await pieces.next()
  stream.write('two')
  await turn()
  t.equal(stream.readableLength, 3)
  await pieces.return()
  t.equal(stream.destroyed, false)
  t.equal(stream.listenerCount('data') + stream.listenerCount('error'), 0)
  stream.end()
  t.equal(String(await stream.toArray()), 'two')
})

t.test('what has come before a break comes, and then the break', async (t) => {
  const { near, far } = await socketPair(t)
  far.write('one')
  await once(near, 'readable')
  const pieces = gathered(near)
  const first = pieces.next()
  setImmediate(() => { near.destroy(new Error('broken')) })
  t.equal(Buffer.from((await first).value ?? []).toString(), 'one')
  await t.rejects(pieces.next(), { message: 'broken' })

  const gone = new PassThrough()
  gone.destroy()
  await t.rejects(gathered(gone).next(), { code: 'ERR_STREAM_PREMATURE_CLOSE' })
  const ended = new PassThrough().end()
  t.same(await gathered(ended).next(), { value: undefined, done: true })
})

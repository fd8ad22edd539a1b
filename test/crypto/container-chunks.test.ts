import t from 'tap'
import { concat, toHex, u32, type Bytes } from '../../lib/crypto/bytes.js'
import { HEADER_SIZE, createSealer, openContainer, sealAgainAsLast, type Sealer } from '../../lib/crypto/container.js'
import { CONTAINER, createHeader } from '../../lib/crypto/container-header.js'
import { fileId, flipped, pattern } from './fixtures/helpers.js'

const S = 2 ** 16
const id = fileId('00112233445566778899aabbccddeeff')
const contentKey = pattern(32)
const writing = { contentKey, fileId: id, writer: 'B', part: 2, chunkLog2: 16 } as const
const reading = { contentKey, fileId: id, writers: 'B', part: 2 } as const
const damaged = { code: 'CONTAINER_DAMAGED' }

const sealed = async (sealer: Sealer, ...sizes: number[]): Promise<Bytes[]> => {
  const chunks: Bytes[] = []
  for (const [i, size] of sizes.entries()) chunks.push(await sealer.seal(i, i === sizes.length - 1, pattern(size).fill(i)))
  return chunks
}

t.test('a sealer takes each index once, in order, and nothing after the last', async (t) => {
  const sealer = await createSealer(writing)
  await t.rejects(sealer.seal(1, false, pattern(S)), RangeError, 'not from 1')
  await sealer.seal(0, false, pattern(S))
  await t.rejects(sealer.seal(0, false, pattern(S)), RangeError, 'not twice')
  await t.rejects(sealer.seal(0, true, pattern(S)), RangeError, 'not twice, even as the last')
  await t.rejects(sealer.seal(2, false, pattern(S)), RangeError, 'no gap')
  await t.rejects(sealer.seal(NaN, false, pattern(S)), RangeError)
  await sealer.seal(1, true, pattern(1))
  for (const index of [0, 1, 2, NaN]) await t.rejects(sealer.seal(index, true, pattern(1)), RangeError, `nothing after the last: ${index}`)
})

t.test('calls are counted when they are made, not when they are done', async (t) => {
  const sealer = await createSealer(writing)
  const calls = [sealer.seal(0, false, pattern(S)), sealer.seal(0, false, pattern(S)), sealer.seal(1, false, pattern(S)), sealer.seal(2, true, pattern(1)), sealer.seal(2, true, pattern(1))]
  const outcomes = await Promise.allSettled(calls)
  t.same(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'rejected'])
})

t.test('a sealer takes whole chunks only', async (t) => {
  for (const [index, last, size] of [[0, false, 0], [0, false, S - 1], [0, false, S + 1], [0, true, S + 1]] as const) {
    await t.rejects((await createSealer(writing)).seal(index, last, pattern(size)), RangeError, `index=${index},last=${last},size=${size}`)
  }
  const sealer = await createSealer(writing)
  await sealer.seal(0, false, pattern(S))
  await t.rejects(sealer.seal(1, true, pattern(0)), RangeError, 'only an empty file has an empty chunk')
  t.equal((await sealer.seal(1, true, pattern(S))).length, S + 16, 'a refused call has used up no index')
})

t.test('a sealer stops at 2^40 bytes', async (t) => {
  const count = 2 ** 40 / S
  const sealer = await createSealer({ ...writing, salt: pattern(32), startAt: count - 1 })
  await sealer.seal(count - 1, false, pattern(S))
  await t.rejects(sealer.seal(count, true, pattern(1)), RangeError)
})

t.test('the buffers may be used again as soon as seal and open have returned', async (t) => {
  const sealer = await createSealer(writing)
  const buffer = pattern(S)
  const sealing = sealer.seal(0, true, buffer)
  buffer.fill(0)
  const ciphertext = await sealing
  const opening = (await openContainer(sealer.header, reading)).open(0, true, ciphertext)
  ciphertext.fill(0)
  t.equal(toHex(await opening), toHex(pattern(S)))
})

t.test('chunks open in any order, at their own place only', async (t) => {
  const sealer = await createSealer(writing)
  const chunks = await sealed(sealer, S, S, S)
  const opener = await openContainer(sealer.header, reading)
  t.equal(opener.writer, 'B')
  t.equal(opener.chunkSize, S)
  for (const at of [2, 0, 1]) {
    for (const [i, chunk] of chunks.entries()) {
      for (const last of [false, true]) {
        const opening = opener.open(at, last, chunk)
        const name = `chunk ${i} at ${at}, last=${last}`
        if (i === at && last === (i === 2)) t.equal(toHex(await opening), toHex(new Uint8Array(S).fill(i)), name)
        else await t.rejects(opening, damaged, name)
      }
    }
  }
})

t.test('a chunk of an impossible size or place is refused', async (t) => {
  const sealer = await createSealer(writing)
  const [first, last] = await sealed(sealer, S, 5)
  if (first === undefined || last === undefined) throw new Error('two chunks were sealed')
  const opener = await openContainer(sealer.header, reading)
  for (const chunk of [new Uint8Array(), pattern(15), pattern(16), last.subarray(0, 20), concat(last, Uint8Array.of(0)), flipped(last, 0), flipped(last, -1)]) await t.rejects(opener.open(1, true, chunk), damaged, `length=${chunk.length}`)
  for (const chunk of [new Uint8Array(), first.subarray(1), concat(first, Uint8Array.of(0)), flipped(first, 0), flipped(first, -1)]) await t.rejects(opener.open(0, false, chunk), damaged, `length=${chunk.length}`)
  for (const index of [-1, 0.5, NaN, 2 ** 32, 2 ** 40]) await t.rejects(opener.open(index, true, last), damaged, `index=${index}`)
})

t.test('an empty file is one empty chunk', async (t) => {
  const sealer = await createSealer(writing)
  const chunk = await sealer.seal(0, true, pattern(0))
  t.equal(chunk.length, 16)
  const opener = await openContainer(sealer.header, reading)
  t.equal((await opener.open(0, true, chunk)).length, 0)
  await t.rejects(opener.open(0, false, chunk), damaged)
})

const fields: Array<[name: string, offset: number, length: number]> = [
  ['magic', 0, 4], ['version', 4, 1], ['suite', 5, 1], ['chunkLog2', 6, 1], ['writer', 7, 1], ['part', 8, 4], ['file id', 12, 16], ['salt', 28, 32], ['commitment', 60, 32]
]

t.test('every byte of the header is checked', async (t) => {
  const { header } = await createSealer(writing)
  t.equal(header.length, HEADER_SIZE)
  for (const [name, offset, length] of fields) {
    for (let i = offset; i < offset + length; i++) await t.rejects(openContainer(flipped(header, i), { ...reading, writers: ['A', 'B', 'S'] }), damaged, `${name}, byte=${i}`)
  }
  t.equal(fields.reduce((sum, [,, length]) => sum + length, 0), HEADER_SIZE)
})

t.test('a header must be whole', async (t) => {
  const { header } = await createSealer(writing)
  for (const length of [0, 6, 7, 8, 28, 91]) await t.rejects(openContainer(header.subarray(0, length), reading), damaged, `length=${length}`)
  await t.rejects(openContainer(concat(header, Uint8Array.of(0)), reading), damaged)
})

t.test('a reader takes only what it expects', async (t) => {
  const { header } = await createSealer(writing)
  t.equal((await openContainer(header, { ...reading, writers: ['A', 'B'] })).writer, 'B')
  const others = {
    'another key': { ...reading, contentKey: flipped(contentKey, 0) },
    'another file': { ...reading, fileId: fileId('00112233445566778899aabbccddeefe') },
    'another part': { ...reading, part: 3 },
    'part 0 by default': { contentKey, fileId: id, writers: 'B' },
    'another writer': { ...reading, writers: 'A' },
    'two other writers': { ...reading, writers: ['A', 'S'] },
    'no writer at all': { ...reading, writers: [] }
  } as const
  for (const [name, expected] of Object.entries(others)) await t.rejects(openContainer(header, expected), damaged, name)
})

t.test('all writers, parts and chunk sizes', async (t) => {
  for (const writer of ['A', 'B', 'S'] as const) {
    for (const part of [0, 1, 2 ** 32 - 1]) {
      const { header } = await createSealer({ ...writing, writer, part })
      t.equal((await openContainer(header, { ...reading, writers: writer, part })).writer, writer)
      t.equal(toHex(header.subarray(8, 12)), toHex(u32(part)))
    }
  }
  for (let chunkLog2 = 0x10; chunkLog2 <= 0x14; chunkLog2++) {
    const sealer = await createSealer({ ...writing, chunkLog2 })
    t.equal(sealer.chunkSize, 2 ** chunkLog2)
    t.equal((await openContainer(sealer.header, reading)).chunkSize, 2 ** chunkLog2)
  }
})

t.test('a chunk size that writers must not choose is refused, even by someone who holds the content key', async (t) => {
  const lax = { ...CONTAINER, chunkLog2: { min: 0, max: 255 } }
  for (const [chunkLog2, accepted] of [[0, false], [15, false], [16, true], [20, true], [21, false], [40, false], [255, false]] as const) {
    const { header } = await createHeader(lax, { ...writing, chunkLog2, salt: pattern(32) })
    if (accepted) t.equal((await openContainer(header, reading)).chunkSize, 2 ** chunkLog2)
    else await t.rejects(openContainer(header, reading), damaged, `chunkLog2=${chunkLog2}`)
  }
})

t.test('by default part 0, chunks of 256 KiB, and a salt of its own', async (t) => {
  const [one, other] = [await createSealer({ contentKey, fileId: id, writer: 'A' }), await createSealer({ contentKey, fileId: id, writer: 'A' })]
  t.equal(one.chunkSize, 2 ** 18)
  t.equal((await openContainer(one.header, { contentKey, fileId: id, writers: 'A' })).chunkSize, 2 ** 18)
  t.equal(toHex(one.header.subarray(28, 60)) === toHex(other.header.subarray(28, 60)), false)
})

t.test('a writer cannot make what no reader takes', async (t) => {
  for (const options of [{ chunkLog2: 0 }, { chunkLog2: 15 }, { chunkLog2: 21 }, { chunkLog2: 16.5 }, { contentKey: pattern(31) }, { salt: pattern(31) }, { part: -1 }, { part: 2 ** 32 }, { part: 0.5 }]) {
    await t.rejects(createSealer({ ...writing, ...options }), RangeError, JSON.stringify(options))
  }
})

t.test('an interrupted container goes on under its stored salt', async (t) => {
  const salt = pattern(32)
  const whole = await createSealer({ ...writing, salt })
  const chunks = await sealed(whole, S, S, 9)
  const resumed = await createSealer({ ...writing, salt, startAt: 1 })
  t.equal(toHex(resumed.header), toHex(whole.header))
  await t.rejects(resumed.seal(0, false, pattern(S)), RangeError)
  t.equal(toHex(await resumed.seal(1, false, pattern(S).fill(1))), toHex(chunks[1] ?? pattern(0)))
  t.equal(toHex(await resumed.seal(2, true, pattern(9).fill(2))), toHex(chunks[2] ?? pattern(0)))
  await t.rejects(createSealer({ ...writing, startAt: 1 }), RangeError, 'a fresh salt has no middle to begin in')
  for (const startAt of [-1, 0.5, 2 ** 40]) await t.rejects((await createSealer({ ...writing, salt, startAt })).seal(startAt, true, pattern(1)), RangeError)
})

t.test('an open part is closed with its last whole chunk', async (t) => {
  const { header, seal } = await (async () => {
    const sealer = await createSealer(writing)
    return { header: sealer.header, seal: sealer.seal.bind(sealer) }
  })()
  await seal(0, false, pattern(S))
  const open = await seal(1, false, pattern(S).fill(7))
  const closed = await sealAgainAsLast(header, reading, 1, open)
  t.equal(closed.length, S + 16)
  t.equal(toHex(closed) === toHex(open), false)
  t.equal(toHex(await (await openContainer(header, reading)).open(1, true, closed)), toHex(pattern(S).fill(7)))
  await t.rejects(sealAgainAsLast(header, reading, 0, open), damaged, 'not at another place')
  await t.rejects(sealAgainAsLast(header, reading, 1, closed), damaged, 'not a chunk that is the last one already')
  await t.rejects(sealAgainAsLast(header, reading, 1, open.subarray(1)), damaged, 'not a torn one')
  await t.rejects(sealAgainAsLast(flipped(header, 9), reading, 1, open), damaged, 'not under another header')
})

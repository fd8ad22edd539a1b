import t from 'tap'
import { concat, toHex, utf8 } from '../../lib/crypto/bytes.js'
import { zip, type ZipEntry } from '../../lib/files/zip.js'
import { descriptor, descriptorSize, directoryHeader, directoryHeaderSize, endOfArchive, endOfArchiveSize, localHeader, localHeaderSize } from '../../lib/files/zip-records.js'

async function * inPieces (content: Uint8Array, step: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < content.length; at += step) yield await Promise.resolve(content.slice(at, at + step))
}

/** An entry of so many bytes, cut into pieces of a size. */
const entry = (name: string, size: number, step = size): ZipEntry =>
  ({ name, size, modifiedAt: Date.UTC(2024, 1, 29, 12, 34, 56), open: () => inPieces(new Uint8Array(size).fill(7), step) })

async function read (entries: readonly ZipEntry[]): Promise<{ announced: number, archive: Uint8Array, lengths: number[] }> {
  const { length, pieces } = zip(entries)
  const copies: Uint8Array[] = []
  for await (const piece of pieces) copies.push(Uint8Array.from(piece))
  return { announced: length, archive: concat(...copies), lengths: copies.map((copy) => copy.length) }
}

t.test('the bytes of a small archive', async (t) => {
  const zone = process.env['TZ']
  process.env['TZ'] = 'UTC'
  t.teardown(() => {
    if (zone === undefined) delete process.env['TZ']
    else process.env['TZ'] = zone
  })
  const { archive } = await read([entry('ü', 2)])
  t.equal(toHex(archive), [
    '504b03041400080800005c645d5800000000000000000000000002000000c3bc', '0707', '504b07089b11fc900200000002000000',
    '504b01023f031400080800005c645d589b11fc900200000002000000020009000000000000000000b48100000000c3bc5554050003f079e065',
    '504b0506000000000100010039000000320000000000'
  ].join(''))
})

for (const sizes of [[], [0], [1], [2 ** 14 - 1], [2 ** 14], [2 ** 14 + 1], [0, 2 ** 15, 1, 2 ** 14, 3]]) {
  for (const step of [1000, 2 ** 14, 2 ** 18]) {
    t.test(`sizes=${sizes.join()} step=${step}: the announced length, in pieces that are worth sending`, async (t) => {
      const { announced, archive, lengths } = await read(sizes.map((size, i) => entry(`${i}`, size, step)))
      t.equal(archive.length, announced)
      t.ok(lengths.every((length) => length < 2 ** 15 || length <= step), lengths.join())
    })
  }
}

t.test('many small files go out together', async (t) => {
  const { lengths, announced } = await read(Array.from({ length: 2000 }, (_, i) => entry(`${i}`, 10)))
  t.ok(lengths.length <= 2 + announced / 2 ** 14, `${lengths.length} pieces`)
})

t.test('a file that is not as long as it was said to be breaks the archive', async (t) => {
  for (const size of [4, 6]) await t.rejects(read([{ ...entry('a', 5), size }]), /5 bytes instead/)
})

t.test('every record is as long as it was announced, on both sides of zip64', (t) => {
  const sizes = [0, 2 ** 32 - 2, 2 ** 32 - 1, 2 ** 40]
  for (const size of sizes) {
    for (const offset of sizes) {
      const place = { name: utf8('ü.bin'), size, modifiedAt: 0, offset }
      t.equal(localHeader(place).length, localHeaderSize(place))
      t.equal(descriptor(place, 1).length, descriptorSize(place))
      t.equal(directoryHeader(place, 1).length, directoryHeaderSize(place))
    }
    for (const entries of [0, 0xfffe, 0xffff, 100_000]) {
      const directory = { entries, size: 46 * entries, offset: size }
      t.equal(endOfArchive(directory).length, endOfArchiveSize(directory), `entries=${entries} offset=${size}`)
    }
  }
  t.end()
})

import { appendFile, readdir, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { SendJournalFolder } from '../../cli/state/send-journal.js'
import { Sealing } from '../../client/sealing.js'
import { deriveW } from '../../lib/crypto/password.js'
import type { ChunkNote, SendRecord } from '../../client/journal.js'
import { randomBytes } from '../../lib/crypto/bytes.js'
import { newFileId, newSessionId } from '../../lib/new-ids.js'
import { temporaryFolder } from '../helpers/server.js'

const sessionId = newSessionId()
const sealing = await Sealing.from('absent-mango-river', sessionId, deriveW)

const newRecord = (): SendRecord => ({
  fileId: newFileId(),
  size: 1_000_000,
  modified: '2024-01-02T03:04:05.000Z',
  sealed: { salt: randomBytes(32), chunkLog2: 18, metadata: randomBytes(620) }
})
const notes = (count: number, last = false): ChunkNote[] => Array.from({ length: count }, (_, i) => ({ sha256: randomBytes(32), last: last && i === count - 1 }))

t.test('what was begun, noted and done is there again', async (t) => {
  const folder = await temporaryFolder(t)
  const journal = await SendJournalFolder.open(folder, sealing)
  t.equal(journal.isEmpty, true)
  t.equal(await journal.load('a'), undefined)
  const [a, b] = [newRecord(), newRecord()]
  await journal.begin([{ key: 'a', record: a }, { key: 'b', record: b }])
  const chunks = [...notes(3), ...notes(2, true)]
  await journal.note('a', 0, chunks.slice(0, 3))
  await journal.note('a', 3, chunks.slice(3))
  await t.rejects(journal.note('a', 3, chunks), RangeError)
  await journal.done(['b'])
  await journal.close()

  const again = await SendJournalFolder.open(folder, sealing)
  t.equal(again.isEmpty, false)
  t.same(await again.load('a'), { record: a, noted: 5, done: false })
  t.same(await again.load('b'), { record: b, noted: 0, done: true })
  t.same(await again.noted('a', 1, 2), chunks.slice(1, 3))
  t.same(await again.noted('a', 4, 10), chunks.slice(4))
  await again.note('a', 5, notes(1))
  await again.done(['a'])
  await again.close()
  t.same(await readdir(folder), ['sent'], 'what is done needs no notes')
})

t.test('a new record of the same key has none of the old one\'s notes', async (t) => {
  const folder = await temporaryFolder(t)
  const journal = await SendJournalFolder.open(folder, sealing)
  await journal.begin([{ key: 'a', record: newRecord() }])
  await journal.note('a', 0, notes(3))
  const record = newRecord()
  await journal.begin([{ key: 'a', record }])
  t.same(await journal.load('a'), { record, noted: 0, done: false })
  await journal.close()
  const again = await SendJournalFolder.open(folder, sealing)
  t.same(await again.load('a'), { record, noted: 0, done: false })
  await again.close()
})

t.test('what a crash tore is dropped', async (t) => {
  const folder = await temporaryFolder(t)
  const journal = await SendJournalFolder.open(folder, sealing)
  const [a, b] = [newRecord(), newRecord()]
  await journal.begin([{ key: 'a', record: a }])
  const chunks = notes(3)
  await journal.note('a', 0, chunks)
  await journal.begin([{ key: 'b', record: b }])
  await journal.close()
  const file = join(folder, `chunks-${a.fileId}`)
  const { length } = await readFile(file)
  await truncate(file, length - 1)
  await appendFile(file, new Uint8Array(length / 3 + 1))
  const log = await readFile(join(folder, 'sent'))
  await truncate(join(folder, 'sent'), log.length - 2)

  const again = await SendJournalFolder.open(folder, sealing)
  t.same(await again.load('a'), { record: a, noted: 2, done: false })
  t.same(await again.noted('a', 0, 9), chunks.slice(0, 2))
  t.equal(await again.load('b'), undefined)
  await again.begin([{ key: 'c', record: b }])
  await again.close()
  const third = await SendJournalFolder.open(folder, sealing)
  t.same(await third.load('c'), { record: b, noted: 0, done: false })
  await third.close()
})

t.test('without the passphrase it opens nothing, and says nothing', async (t) => {
  const folder = await temporaryFolder(t)
  const journal = await SendJournalFolder.open(folder, sealing)
  const record = newRecord()
  await journal.begin([{ key: 'file:/home/somebody/telling-name', record }])
  await journal.note('file:/home/somebody/telling-name', 0, notes(1))
  await journal.close()
  const content = Buffer.concat(await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name)))))
  t.notOk(content.includes('telling'))
  t.notOk(content.includes(Buffer.from(record.sealed?.salt ?? [1]).toString('base64url')))
  t.equal((await (await SendJournalFolder.open(folder, await Sealing.from('another-mango-river', sessionId, deriveW))).load('file:/home/somebody/telling-name')), undefined)
})

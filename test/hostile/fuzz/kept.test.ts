import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { CliError } from '../../../cli/cli-error.js'
import { ReceiveJournal } from '../../../cli/state/receive-journal.js'
import { SealedLog } from '../../../cli/state/sealed-log.js'
import { Sealing } from '../../../client/sealing.js'
import { SendJournalFolder } from '../../../cli/state/send-journal.js'
import { StateFolder } from '../../../cli/state/state-folder.js'
import { stateOf } from '../../../cli/state/state-paths.js'
import { equalBytes, randomBytes } from '../../../lib/crypto/bytes.js'
import { deriveW } from '../../../lib/crypto/password.js'
import { newFileId, newSessionId } from '../../../lib/new-ids.js'
import { decodeRecord, encodeRecord, isSecretOf, newSecretCheck, openRecord, sealRecord } from '../../../lib/sessions/sealed-record.js'
import { open, seal } from '../../../lib/sessions/sealing.js'
import { temporaryFolder } from '../../helpers/server.js'
import { newFile, newRecord } from '../../sessions/records.js'
import { bytes, mutatedBytes, text } from './inputs.js'
import { holds, must, read } from './holds.js'

const sessionId = newSessionId()
const owner = { sessionId, role: 'joiner', passphrase: 'absent-mango-river', derive: deriveW } as const
const sealing = await Sealing.from('absent-mango-river', sessionId, deriveW)
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

t.test('a log that is damaged has the lines before the damage, and takes new ones', async (t) => {
  const path = join(await temporaryFolder(t), 'log')
  const written = Array.from({ length: 5 }, (_, line) => ({ line }))
  const readLog = async (): Promise<{ lines: object[], log: SealedLog<object> }> => {
    const lines: object[] = []
    return { lines, log: await SealedLog.open<object>(path, { name: 'log', sealing, onLine: (line) => lines.push(line) }) }
  }
  const { log } = await readLog()
  for (const line of written) await log.append(line)
  await log.close()
  const whole = new Uint8Array(await readFile(path))
  const inLines = whole.length === 0 ? [] : Buffer.from(whole).toString('latin1').split(/(?<=\n)/)
  const reordered = fc.shuffledSubarray([...inLines, '\n', 'AAAA\n', inLines[0] ?? '', inLines[1] ?? '']).map((some) => Buffer.from([...inLines.slice(0, 2), ...some].join('')))
  await holds(t, 'whatever the damage', fc.asyncProperty(fc.oneof(mutatedBytes(fc.constant(whole)), bytes({ maxLength: 300 }), reordered), async (damaged) => {
    await writeFile(path, damaged)
    const { lines, log } = await readLog()
    must(same(lines, written.slice(0, lines.length)), 'other lines')
    await log.append({ line: 'new' })
    await log.close()
    const again = await readLog()
    await again.log.close()
    must(same(again.lines, [...lines, { line: 'new' }]), 'the new line is not behind the old ones')
  }), 2)
})

t.test('a journal of what is sent never says of a chunk what was not noted', async (t) => {
  const folder = await temporaryFolder(t)
  const record = { fileId: newFileId(), size: 1_000_000, modified: '2026-01-02T03:04:05.000Z', sealed: { salt: randomBytes(32), chunkLog2: 18, metadata: randomBytes(620) } }
  const chunks = Array.from({ length: 4 }, (_, i) => ({ sha256: randomBytes(32), last: i === 3 }))
  const journal = await SendJournalFolder.open(folder, sealing)
  await journal.begin([{ key: 'a', record }, { key: 'b', record: { ...record, fileId: newFileId() } }])
  await journal.note('a', 0, chunks)
  await journal.done(['b'])
  await journal.close()
  const files = await Promise.all((await readdir(folder)).map(async (name) => ({ name, content: new Uint8Array(await readFile(join(folder, name))) })))
  const damage = fc.constantFrom(...files).chain(({ name, content }) => fc.tuple(fc.constant(name), mutatedBytes(fc.constant(content))))
  await holds(t, 'whatever the damage', fc.asyncProperty(damage, async ([name, damaged]) => {
    for (const file of files) await writeFile(join(folder, file.name), file.name === name ? damaged : file.content)
    const again = await SendJournalFolder.open(folder, sealing)
    try {
      const entry = await again.load('a')
      if (entry === undefined) return
      must(entry.record.fileId === record.fileId && equalBytes(entry.record.sealed?.salt ?? new Uint8Array(), record.sealed.salt) && !entry.done && entry.noted <= 4, 'another record')
      const noted = await again.noted('a', 0, 9)
      must(noted.every(({ sha256, last }, i) => last === chunks[i]?.last && equalBytes(sha256, chunks[i].sha256)), 'another chunk')
    } finally {
      await again.close()
    }
  }), 2)
})

t.test('a journal of what is received knows no more than was written', async (t) => {
  const folder = await temporaryFolder(t)
  const [fileId, other] = [newFileId(), newFileId()]
  const journal = await ReceiveJournal.open(folder, sealing)
  await journal.planned([{ fileId, path: '/a', replace: false }, { fileId: other, path: '/b', replace: true }])
  await journal.header(fileId, randomBytes(92))
  await journal.synced(fileId, 1000)
  await journal.whole([other])
  await journal.close()
  const whole = new Uint8Array(await readFile(join(folder, 'received')))
  await holds(t, 'whatever the damage', fc.asyncProperty(mutatedBytes(fc.constant(whole)), async (damaged) => {
    await writeFile(join(folder, 'received'), damaged)
    const again = await ReceiveJournal.open(folder, sealing)
    const [entry, second] = [again.find(fileId), again.find(other)]
    await again.close()
    must(entry === undefined || (entry.path === '/a' && !entry.whole && (entry.synced === 0 || (entry.synced === 1000 && entry.header !== undefined))), 'another state')
    must(second === undefined || second.path === '/b', 'another path')
  }), 2)
})

t.test('what is kept of a session opens as it was, or leads to a clear answer', async (t) => {
  const home = process.env['XDG_STATE_HOME']
  process.env['XDG_STATE_HOME'] = await temporaryFolder(t)
  t.teardown(() => {
    if (home === undefined) delete process.env['XDG_STATE_HOME']
    else process.env['XDG_STATE_HOME'] = home
  })
  const folder = await StateFolder.create(owner, { token: 'secret' })
  await folder.keep()
  const path = join(stateOf(sessionId), 'joiner', 'session')
  const whole = new Uint8Array(await readFile(path))
  // Each takes a derivation from the passphrase.
  await holds(t, 'whatever the damage', fc.asyncProperty(fc.oneof(mutatedBytes(fc.constant(whole)), bytes({ maxLength: 60 })), async (damaged) => {
    await writeFile(path, damaged)
    const resumed = await read(() => StateFolder.resume<{ token: string }>(owner), (error) => error instanceof CliError && !error.message.includes('secret'))
    must((resumed !== undefined) === equalBytes(damaged, whole) && (resumed === undefined || resumed.state.token === 'secret'), 'another state')
    await resumed?.folder.keep()
  }), 25)
  await rm(path)
  await t.rejects(StateFolder.resume(owner), CliError)
})

t.test('a record of a session', async (t) => {
  const secret = randomBytes(32)
  const records = fc.record({ name: text(30), mark: fc.oneof(fc.constantFrom('~', '~b', '~sx', '~bAAAA'), text(9)) }).map(({ name, mark }) => newRecord({ files: [{ ...newFile(5), name }, { ...newFile(6), name: mark }] }))
  await holds(t, 'comes back', fc.asyncProperty(records, async (record) => {
    const sealed = await sealRecord(secret, record)
    must(same((await openRecord({ current: secret }, record.id, sealed)).record, record), 'another record')
  }), 2)
  const right = newRecord()
  const isRefusal = (error: unknown): boolean => error instanceof RangeError || error instanceof SyntaxError || error instanceof TypeError
  await holds(t, 'is decoded, or refused', fc.asyncProperty(fc.oneof(bytes(), mutatedBytes(fc.constant(encodeRecord(right))), fc.json().map((value) => new TextEncoder().encode(`{"version":3,"record":${value}}`))), async (encoded) => {
    const record = await read(() => decodeRecord(right.id, encoded), isRefusal)
    must(record === undefined || record.id === right.id, 'of another session')
  }))
  await holds(t, 'has one writing of each text', fc.asyncProperty(fc.oneof(text(20), fc.constantFrom('~', '~s', '~s~', '~sx', '~b', '~bAA', '~bA', '~bAB', '~x')), async (mark) => {
    const record = await read(() => decodeRecord(right.id, new TextEncoder().encode(JSON.stringify({ version: 3, record: { id: right.id, mark } }))), isRefusal)
    must(record === undefined || same(JSON.parse(new TextDecoder().decode(encodeRecord(record))), { version: 3, record: { id: right.id, mark } }), 'a second writing')
  }))
  const sealed = await sealRecord(secret, right)
  const check = await newSecretCheck(secret)
  const info = new TextEncoder().encode('info')
  const other = await seal(secret, Uint8Array.from(info), new Uint8Array(5))
  await holds(t, 'that was changed does not open, nor anything else that is sealed', fc.asyncProperty(mutatedBytes(fc.constant(sealed)), mutatedBytes(fc.constant(check)), mutatedBytes(fc.constant(other)), async (record, secretCheck, anything) => {
    const opened = await openRecord({ current: secret, previous: randomBytes(32) }, right.id, record).catch(() => undefined)
    must((opened !== undefined) === equalBytes(record, sealed), 'a record')
    must(await isSecretOf(secretCheck, secret) === equalBytes(secretCheck, check), 'a check')
    must((await open(secret, Uint8Array.from(info), anything).catch(() => undefined) !== undefined) === equalBytes(anything, other), 'anything')
  }), 2)
})

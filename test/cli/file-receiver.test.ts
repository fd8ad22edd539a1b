import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { FileReceiver } from '../../cli/transfer/file-receiver.js'
import { OutputFolder } from '../../cli/files/output-folder.js'
import { ReceiveJournal } from '../../cli/state/receive-journal.js'
import { Sealing } from '../../client/sealing.js'
import { listFiles } from '../../client/offers.js'
import { sendFiles } from '../../client/send.js'
import { textSource } from '../../client/source.js'
import { utf8 } from '../../lib/crypto/bytes.js'
import { deriveW } from '../../lib/crypto/password.js'
import { collect, recorded, startPlace } from '../client/fixtures-transfer/place.js'
import { temporaryFolder } from '../helpers/server.js'
import { treeOf } from './program.js'

t.test('what an earlier run received as a whole gets its name, or comes again where it is to lie elsewhere', async (t) => {
  const { connection, creator, joiner: member } = await startPlace(t)
  await collect(sendFiles(connection, creator, [recorded(utf8('content'), { name: 'a.txt' }), textSource('not this one')]))
  const offers = await collect(listFiles(connection, member))
  const file = offers.find((offer) => 'name' in offer && offer.name === 'a.txt')
  if (file === undefined || !('name' in file)) throw new Error('It is not offered.')

  for (const elsewhere of [false, true]) {
    const journal = await ReceiveJournal.open(await temporaryFolder(t), await Sealing.from('absent-mango-river', member.sessionId, deriveW))
    const [earlier, other] = [await OutputFolder.open(await temporaryFolder(t)), await OutputFolder.open(await temporaryFolder(t))]
    const plan = await earlier.plan(file.name)
    await journal.planned([{ fileId: file.fileId, path: plan.path, replace: false }])
    const partial = await earlier.create(plan)
    await partial.write(utf8('content'))
    await partial.seal({ modified: new Date(0), executable: false })
    await journal.whole([file.fileId])
    await partial.keep()

    const folder = elsewhere ? other : earlier
    const receiver = new FileReceiver({ connection, member, folder, journal, onBytes: () => {}, signal: new AbortController().signal })
    const [[received] = []] = await collect(receiver.receive([{ file, replace: false }]))
    await receiver.end(false)
    await journal.close()
    t.match(received, { path: join(folder.path, 'a.txt'), size: 7 })
    t.equal(await readFile(join(folder.path, 'a.txt'), 'utf8'), 'content')
    t.same([await treeOf(earlier.path), await treeOf(other.path)], elsewhere ? [[], ['a.txt']] : [['a.txt'], []], 'and nothing else')
  }
})

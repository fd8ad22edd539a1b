import t from 'tap'
import { Receipts } from '../../client/receipts.js'
import { newFileId, newJoinId } from '../../lib/new-ids.js'

const [first, second] = [newFileId(), newFileId()]
const [bob, carol] = [newJoinId(), newJoinId()]

type Event = Parameters<Receipts['onEvent']>[0]

const received = (joinId: typeof bob): Event[] => [first, second].map((fileId) => ({ type: 'file.received', fileId, role: 'joiner', joinId }))
const left = (joinId: typeof bob): Event => ({ type: 'participant.left', role: 'joiner', joinId })
/** What the list says of both files. */
const listed = (number: number) => [first, second].map((fileId) => ({ fileId, received: number }))

const tell = (receipts: Receipts, events: readonly Event[]): void => { for (const event of events) receipts.onEvent(event) }

/** Whether it is settled when all that is under way has been done. */
async function isSettled ({ settled }: Receipts): Promise<boolean> {
  const later = new Promise<false>((resolve) => { setTimeout(() => { resolve(false) }, 40) })
  return await Promise.race([settled.then(() => true), later])
}

t.test('it is settled when so many have all of it, or have left', async (t) => {
  const cases: ReadonlyArray<readonly [what: string, wanted: number, settled: boolean, receivers: number, happens: (receipts: Receipts) => void]> = [
    ['one has all', 1, true, 1, (receipts) => { tell(receipts, received(bob)) }],
    ['one has one of two', 1, false, 0, (receipts) => { tell(receipts, received(bob).slice(1)) }],
    ['one has left', 1, true, 0, (receipts) => { tell(receipts, [left(bob)]) }],
    ['one of two has all, and has left', 2, false, 1, (receipts) => { tell(receipts, [...received(bob), left(bob)]) }],
    ['one of two has all, the other has left', 2, true, 1, (receipts) => { tell(receipts, [...received(bob), left(carol)]) }],
    ['the list counts one', 1, true, 1, (receipts) => { receipts.count(listed(1), 0) }],
    ['one left unseen', 1, true, 0, (receipts) => { receipts.count(listed(0), 1) }],
    ['one of two left unseen with all of it', 2, false, 1, (receipts) => { receipts.count(listed(1), 1) }],
    ['one left unseen without it, the other has it then', 2, true, 1, (receipts) => { receipts.count(listed(0), 1); tell(receipts, received(carol)) }],
    ['one left unseen, the other is seen to leave', 2, true, 0, (receipts) => { receipts.count(listed(0), 1); tell(receipts, [left(carol)]) }],
    ['one was seen to leave, and is missing in the list', 2, false, 0, (receipts) => { tell(receipts, [left(bob)]); receipts.count(listed(0), 1) }]
  ]
  for (const [what, wanted, settled, receivers, happens] of cases) {
    const receipts = new Receipts(wanted)
    for (const id of [first, second]) receipts.add(id)
    receipts.close()
    happens(receipts)
    t.same([await isSettled(receipts), receipts.receivers], [settled, receivers], what)
  }
})

t.test('nothing is settled before all is sent, and at once if there is nothing', async (t) => {
  const receipts = new Receipts(1)
  receipts.add(first)
  receipts.count(listed(1), 1)
  t.notOk(await isSettled(receipts))
  receipts.close()
  t.ok(await isSettled(receipts))
  const empty = new Receipts(1)
  empty.close()
  t.ok(await isSettled(empty))
})

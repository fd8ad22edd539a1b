import t from 'tap'
import { Receipts } from '../../client/receipts.js'
import { newFileId, newJoinId } from '../../lib/new-ids.js'
import { eventually } from '../helpers/events.js'

const [first, second] = [newFileId(), newFileId()]
const [bob, carol] = [newJoinId(), newJoinId()]

type Event = Parameters<Receipts['onEvent']>[0]

const received = (joinId: typeof bob): Event[] => [first, second].map((fileId) => ({ type: 'file.received', fileId, role: 'joiner', joinId }))
const left = (joinId: typeof bob): Event => ({ type: 'participant.left', role: 'joiner', joinId })
/** What the list says of both files. */
const listed = (number: number) => [first, second].map((fileId) => ({ fileId, received: number }))

const nothing = (): void => {}

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
    ['the list counts one', 1, true, 1, (receipts) => { receipts.count(listed(1), 0, 0) }],
    ['one left unseen', 1, true, 0, (receipts) => { receipts.count(listed(0), 1, 0) }],
    ['one of two left unseen with all of it', 2, false, 1, (receipts) => { receipts.count(listed(1), 1, 0) }],
    ['one was seen to leave, and is missing in the list', 2, false, 0, (receipts) => { tell(receipts, [left(bob)]); receipts.count(listed(0), 1, 0) }]
  ]
  for (const [what, wanted, settled, receivers, happens] of cases) {
    const receipts = new Receipts(wanted, nothing)
    for (const id of [first, second]) receipts.add(id)
    receipts.close()
    happens(receipts)
    t.same([await isSettled(receipts), receipts.receivers], [settled, receivers], what)
  }
})

t.test('nothing is settled before all is sent, and at once if there is nothing', async (t) => {
  const receipts = new Receipts(1, nothing)
  receipts.add(first)
  receipts.count(listed(1), 1, 0)
  t.notOk(await isSettled(receipts))
  receipts.close()
  t.ok(await isSettled(receipts))
  const empty = new Receipts(1, nothing)
  empty.close()
  t.ok(await isSettled(empty))
})

t.test('where events may have been missed, what comes then is counted by the lists', async (t) => {
  type Lists = readonly [received: number, joined: number, there: number]
  const cases: ReadonlyArray<readonly [what: string, settled: boolean, receivers: number, lists: Lists, events: readonly Event[], later: Lists]> = [
    ['one left unseen without it, the other has it then', true, 1, [0, 2, 1], received(carol), [1, 2, 1]],
    ['one left unseen with it, the other has it then', true, 2, [1, 2, 1], received(carol), [2, 2, 1]],
    ['one left unseen, the other is seen to leave', true, 0, [0, 2, 1], [left(carol)], [0, 2, 0]],
    ['one left, is missing in the list, and is then seen to leave', false, 0, [0, 2, 1], [left(bob)], [0, 2, 1]],
    ['one has it by the list, and is seen to leave', false, 1, [1, 2, 2], [left(bob)], [1, 2, 1]],
    ['one left unseen, another one joins', false, 0, [0, 1, 0], [{ type: 'join.joined', joinId: carol }], [0, 2, 1]]
  ]
  await Promise.all(cases.map(async ([what, settled, receivers, lists, events, later]) => {
    let looks = 0
    const receipts = new Receipts(2, () => {
      looks += 1
      receipts.count(listed(later[0]), later[1], later[2])
    })
    for (const id of [first, second]) receipts.add(id)
    receipts.close()
    receipts.count(listed(lists[0]), lists[1], lists[2])
    tell(receipts, events)
    t.notOk(await isSettled(receipts), what)
    await eventually(() => looks > 0)
    t.same([await isSettled(receipts), receipts.receivers, looks], [settled, receivers, 1], what)
  }))
})

import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import type { SessionRecord } from '../../lib/sessions/session.js'
import { WrittenRecord } from '../../lib/sessions/written-record.js'
import { newRecord, NOW } from './records.js'

/** A disk in the test's hand: each write stays under way until it is told how it ends. */
function disk (): { readonly begun: SessionRecord[], readonly write: (record: SessionRecord) => Promise<void>, readonly end: (error?: Error) => Promise<void> } {
  const ends: Array<(error?: Error) => void> = []
  const state = {
    begun: [] as SessionRecord[],
    write: (record: SessionRecord) => {
      state.begun.push(record)
      return new Promise<void>((resolve, reject) => {
        ends.push((error) => {
          if (error === undefined) resolve()
          else reject(error)
        })
      })
    },
    end: async (error?: Error) => {
      ends.shift()?.(error)
      await turn()
    }
  }
  return state
}

const count = (written: WrittenRecord, wrongCodes: number): void => { written.change({ ...written.record, wrongCodes }) }

/** Saves and notes how that ended. */
function save (written: WrittenRecord, outcomes: string[], name: string): void {
  written.save().then(() => outcomes.push(`${name} saved`), () => outcomes.push(`${name} lost`))
}

t.test('one write at a time, and the next one writes the newest state for all who wait', async (t) => {
  const { begun, write, end } = disk()
  const written = new WrittenRecord(newRecord(), undefined, write)
  const outcomes: string[] = []
  save(written, outcomes, 'new')
  for (const i of [1, 2, 3]) {
    count(written, i)
    save(written, outcomes, String(i))
  }
  await turn()
  t.same(begun.map(({ wrongCodes }) => wrongCodes), [0], 'the others wait')
  t.same(outcomes, [], 'nobody is told before it is written')
  await end()
  t.same(begun.map(({ wrongCodes }) => wrongCodes), [0, 3])
  t.same(outcomes, ['new saved'])
  count(written, 4)
  save(written, outcomes, '4')
  await end()
  t.same(outcomes, ['new saved', '1 saved', '2 saved', '3 saved'])
  await end()
  t.same(begun.map(({ wrongCodes }) => wrongCodes), [0, 3, 4])
  t.same(outcomes.at(-1), '4 saved')
})

t.test('what is written already is not written again', async (t) => {
  const { begun, write, end } = disk()
  const record = newRecord()
  const written = new WrittenRecord(record, record, write)
  await written.save()
  written.change({ ...record, wrongCodes: 1 })
  const saved = written.save()
  await end()
  await saved
  await written.save()
  t.equal(begun.length, 1)
})

t.test('who changes nothing while a write is under way waits for it: what they saw is not sure yet', async (t) => {
  const { write, end } = disk()
  const record = newRecord()
  const written = new WrittenRecord(record, record, write)
  const outcomes: string[] = []
  count(written, 1)
  save(written, outcomes, 'change')
  save(written, outcomes, 'look')
  await end(new Error('full'))
  t.same(outcomes, ['change lost', 'look lost'])
})

t.test('what could not be written did not happen, nor what was built on it', async (t) => {
  const { begun, write, end } = disk()
  const record = newRecord()
  const written = new WrittenRecord(record, record, write)
  const outcomes: string[] = []
  count(written, 1)
  save(written, outcomes, '1')
  await end()
  count(written, 2)
  save(written, outcomes, '2')
  count(written, 3)
  save(written, outcomes, '3')
  await end(new Error('full'))
  t.same(outcomes, ['1 saved', '2 lost', '3 lost'])
  t.equal(written.record.wrongCodes, 1)
  count(written, written.record.wrongCodes + 10)
  save(written, outcomes, '11')
  await end()
  t.same(outcomes.at(-1), '11 saved', 'and then it goes on')
  t.same(begun.map(({ wrongCodes }) => wrongCodes), [1, 2, 11])
})

t.test('a write that fails does not set the moment of last use back', async (t) => {
  const { write, end } = disk()
  const record = newRecord()
  const written = new WrittenRecord(record, record, write)
  count(written, 1)
  const lost = t.rejects(written.save(), /full/)
  written.change({ ...written.record, lastUsedAt: NOW + 5 })
  t.equal(written.lag, 5)
  await end(new Error('full'))
  await lost
  t.same(written.record, { ...record, lastUsedAt: NOW + 5 })
})

t.test('idle comes when nothing is being written, however it ended', async (t) => {
  const { write, end } = disk()
  const record = newRecord()
  const written = new WrittenRecord(record, record, write)
  await written.idle()
  let idle = false
  count(written, 1)
  const lost = t.rejects(written.save(), /full/)
  void written.idle().then(() => { idle = true })
  await turn()
  t.equal(idle, false)
  await end(new Error('full'))
  await lost
  t.equal(idle, true)
})

import t from 'tap'
import { Speed } from '../../client/speed.js'

t.test('a speed falls when nothing comes, and not between large pieces', (t) => {
  const speed = new Speed()
  for (let time = 0; time <= 4000; time += 200) speed.add(time * 1000, time)
  t.equal(speed.at(5000), 1_000_000, 'nothing for a second')
  t.equal(speed.at(8000), 500_000)
  t.equal(speed.at(40_000), 100_000)
  const slow = new Speed()
  for (let time = 0; time <= 30_000; time += 10_000) slow.add(time * 100, time)
  t.equal(slow.at(39_000), 100_000, 'every ten seconds a piece')
  t.ok((slow.at(60_000) ?? 0) < 30_000, 'and then none')
  t.end()
})

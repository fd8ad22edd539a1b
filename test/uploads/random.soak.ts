import t from 'tap'
import { checkPrograms } from './check-programs.js'
import { startPlace } from './place.js'

const { RANDOM_RUNS: runs = '300' } = process.env

t.test('programs that nobody has run before', async (t) => {
  const seed = Date.now() % 2 ** 31
  t.comment(`seed ${seed}`)
  await checkPrograms(t, await startPlace(t), { seed, path: '', runs: Number(runs), limit: 1_000_000 })
})

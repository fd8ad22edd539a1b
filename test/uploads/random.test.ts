import t from 'tap'
import { checkPrograms } from './check-programs.js'
import { startPlace } from './place.js'
import { EXAMPLE, runProgram } from './program.js'

/** Each draws the same programs again and again. RANDOM_SEED draws others, and RANDOM_PATH beside it only the one that failed. */
const SEEDS = [1, 20_260_101]
const { RANDOM_SEED: given, RANDOM_PATH: path = '', RANDOM_RUNS: runs = '6' } = process.env

t.test('whatever happens to an upload, it keeps what it acknowledged and ends as the same file', async (t) => {
  const place = await startPlace(t)
  await runProgram(place, EXAMPLE)
  for (const seed of given === undefined ? SEEDS : [Number(given)]) {
    await checkPrograms(t, place, { seed, path, runs: Number(runs), limit: 40_000 })
  }
})

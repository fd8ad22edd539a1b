import fc from 'fast-check'
import t from 'tap'
import { startPlace } from './place.js'
import { EXAMPLE, programs, runProgram } from './program.js'

/** Each draws the same programs again and again; RANDOM_SEED=… draws others, and RANDOM_PATH=… only the one that failed. */
const SEEDS = [1, 20_260_101]
const { RANDOM_SEED: seed, RANDOM_PATH: path = '', RANDOM_RUNS: runs = '6' } = process.env

t.test('whatever happens to an upload, it keeps what it acknowledged and ends as the same file', async (t) => {
  const place = await startPlace(t)
  await runProgram(place, EXAMPLE)
  for (const drawn of seed === undefined ? SEEDS : [Number(seed)]) {
    const outcome = await fc.check(fc.asyncProperty(programs, (program) => runProgram(place, program)), {
      seed: drawn,
      path,
      numRuns: Number(runs),
      // So that the smallest failure so far is reported before the test's time is up.
      interruptAfterTimeLimit: 40_000
    })
    t.notOk(outcome.failed, `seed ${drawn}: ${outcome.numRuns} programs`, { report: outcome.failed ? fc.defaultReportMessage(outcome) : '' })
  }
})

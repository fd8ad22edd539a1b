import fc from 'fast-check'
import type { Test } from 'tap'
import type { Place } from './place.js'
import { programs, runProgram } from './program.js'

interface Draw {
  readonly seed: number
  readonly runs: number
  /** Leads to one program of the seed, as the report of a failure names it. */
  readonly path: string
  /** Milliseconds after which no more programs are run, and a failure is not made smaller any more. */
  readonly limit: number
}

/** Runs random programs; one that fails is made smaller, and reported with what draws it again. */
export async function checkPrograms (t: Test, place: Place, { seed, runs, path, limit }: Draw): Promise<void> {
  const property = fc.asyncProperty(programs, (program) => runProgram(place, program))
  const outcome = await fc.check(property, { seed, path, numRuns: runs, interruptAfterTimeLimit: limit })
  t.notOk(outcome.failed, `seed ${seed}: ${outcome.numRuns} programs`, { report: outcome.failed ? fc.defaultReportMessage(outcome) : '' })
}

/**
 * Properties, and how often each is tried: FUZZ_RUNS says it of the cheap ones. FUZZ_SEED draws other inputs, and FUZZ_PATH beside it
 * only the one that failed.
 */

import fc from 'fast-check'
import type { Test } from 'tap'

const { FUZZ_RUNS: runs = '200', FUZZ_SEED: seed = '20260101', FUZZ_PATH: path = '' } = process.env

/**
 * Tries a property on many inputs; one that breaks it is made smaller, and reported with what draws it again.
 * @param cost - how many cheap ones one input of this property is worth
 * @param parameters - where others are wanted
 */
export async function holds <Inputs> (t: Test, name: string, property: fc.IRawProperty<Inputs>, cost = 1, parameters: fc.Parameters<Inputs> = {}): Promise<void> {
  const outcome = await fc.check(property, { seed: Number(seed), path, numRuns: Math.ceil(Number(runs) / cost), includeErrorInReport: true, ...parameters })
  t.notOk(outcome.failed, `${name}: ${outcome.numRuns} inputs, FUZZ_SEED=${seed}`, { report: outcome.failed ? fc.defaultReportMessage(outcome) : '' })
}

/** What is read, or `undefined` if it is refused as documented. Whatever else is thrown breaks the property. */
export async function read <Value> (reader: () => Value | Promise<Value>, isRefusal: (error: unknown) => boolean): Promise<Value | undefined> {
  try {
    return await reader()
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

/** Breaks a property. */
export function must (condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what)
}

/**
 * Whether the time of an operation tells of its input: Welch's t test over measurements of two classes of inputs, fixed and random, in
 * random order, as dudect does it (Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?", https://eprint.iacr.org/2016/1123).
 */

import { randomInt } from 'node:crypto'

/** An operation on an input that was prepared before the clock ran. */
export type Operation = () => unknown

/** Makes an input of a class. Both classes must come about in the same way, so that memory tells nothing either. */
export type Prepare = (isFixed: boolean) => Operation

interface Measurement {
  readonly isFixed: boolean
  /** Nanoseconds. */
  readonly time: number
}

/** What was found out about one operation. */
export interface Finding {
  /** Of each round the t statistic that is farthest from zero. */
  readonly t: readonly number[]
  /** Whether every round says the same, clearly. */
  readonly isLeaky: boolean
  /** Nanoseconds by which the classes would have had to differ, on the average, to be told apart. */
  readonly visible: number
}

/** dudect's own bound for "leaks, probably". By chance alone one of 10²² rounds would pass it. */
const CLEAR = 10
/** What a noisy machine does to one round it does not do to three, in the same direction. */
const ROUNDS = 3
/** Inputs that are prepared ahead of each row of measurements. */
const BATCH = 500
/** The slowest measurements are those that something else interrupted: each of these shares of all is looked at. */
const SHARES = [0.5, 0.75, 0.9, 0.99, 1]

/** @param count - measurements of each round */
export async function findLeak (prepare: Prepare, count: number): Promise<Finding> {
  await measure(prepare, Math.ceil(count / 10))
  const rounds: Array<{ readonly t: number, readonly visible: number }> = []
  for (let round = 0; round < ROUNDS; round++) rounds.push(farthest(await measure(prepare, count)))
  const t = rounds.map((round) => round.t)
  const isLeaky = t.every((value) => value > CLEAR) || t.every((value) => value < -CLEAR)
  return { t, isLeaky, visible: Math.min(...rounds.map(({ visible }) => visible)) }
}

async function measure (prepare: Prepare, count: number): Promise<Measurement[]> {
  const measured: Measurement[] = []
  while (measured.length < count) {
    const batch = Array.from({ length: BATCH }, () => randomInt(2) === 1).map((isFixed) => ({ isFixed, operation: prepare(isFixed) }))
    for (const { isFixed, operation } of batch) {
      const begin = process.hrtime.bigint()
      await operation()
      measured.push({ isFixed, time: Number(process.hrtime.bigint() - begin) })
    }
  }
  return measured
}

function farthest (measured: readonly Measurement[]): { readonly t: number, readonly visible: number } {
  const sorted = measured.toSorted((a, b) => a.time - b.time)
  const all = SHARES.map((share) => {
    const kept = sorted.slice(0, Math.ceil(share * sorted.length))
    const [fixed, random] = [true, false].map((isFixed) => moments(kept.filter((one) => one.isFixed === isFixed).map(({ time }) => time)))
    if (fixed === undefined || random === undefined) throw new Error('Both classes are measured.')
    const error = Math.sqrt(fixed.variance / fixed.count + random.variance / random.count)
    return { t: (fixed.mean - random.mean) / error, visible: CLEAR * error }
  })
  const visible = Math.min(...all.map((one) => one.visible))
  return { t: all.reduce((far, { t }) => Math.abs(t) > Math.abs(far) ? t : far, 0), visible }
}

function moments (times: readonly number[]): { readonly count: number, readonly mean: number, readonly variance: number } {
  const count = times.length
  const mean = times.reduce((sum, time) => sum + time, 0) / count
  return { count, mean, variance: times.reduce((sum, time) => sum + (time - mean) ** 2, 0) / (count - 1) }
}

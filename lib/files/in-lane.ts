import type { Lane, Release } from './memory-budget.js'

interface Done<Result> {
  readonly result: Result
  readonly release: Release
}

/**
 * Runs tasks side by side, as many as the lane has slots for, and gives their results in order. A result keeps its slot until the
 * next one is asked for. On every path, what was begun is waited for and its slots are given back.
 */
export async function * inLane <Result> (lane: Lane, tasks: Iterator<() => Promise<Result>>): AsyncGenerator<Result, void, undefined> {
  const underWay: Array<Promise<Done<Result>>> = []
  let upcoming = tasks.next()
  const takeNext = (): Promise<Done<Result>> | undefined => {
    for (let release = slot(); release !== undefined && upcoming.done !== true; release = slot()) {
      const done = run(upcoming.value, release)
      // Awaited in its turn; until then a failure must not count as unhandled.
      done.catch(() => {})
      underWay.push(done)
      upcoming = tasks.next()
    }
    return underWay.shift()
  }
  const slot = (): Release | undefined => upcoming.done === true ? undefined : lane.tryAcquire()

  try {
    for (let next = takeNext(); next !== undefined; next = takeNext()) {
      const { result, release } = await next
      try {
        yield result
      } finally {
        release()
      }
    }
  } finally {
    await Promise.all(underWay.map((done) => done.then(({ release }) => { release() }, () => {})))
  }
}

async function run <Result> (task: () => Promise<Result>, release: Release): Promise<Done<Result>> {
  try {
    return { result: await task(), release }
  } catch (error) {
    release()
    throw error
  }
}

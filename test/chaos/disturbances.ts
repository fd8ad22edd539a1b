import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { Noise } from '../helpers/noise.js'
import type { Fault } from '../helpers/faults.js'
import type { Cluster, Instance } from './cluster.js'

/** Longer than an instance's lease on an upload (4 s): meanwhile another one takes it over. */
const FROZEN = 6_000
const AWAY = 2_000
const FAULTY = 3_000

type Disturbance = (cluster: Cluster, draw: Draw) => Promise<void>

/** Random numbers that are the same for the same seed. */
export class Draw {
  readonly #noise: Noise

  constructor (seed: number) {
    this.#noise = new Noise(`disturbances ${seed}`)
  }

  /** An integer of 0 to `count` − 1. */
  below (count: number): number {
    const [a = 0, b = 0] = this.#noise.take(2)
    return (256 * a + b) % count
  }

  shuffled <Value> (values: readonly Value[]): Value[] {
    return values.map((value) => ({ value, key: this.below(65_536) })).sort((a, b) => a.key - b.key).map(({ value }) => value)
  }
}

const anInstance = ({ instances }: Cluster, draw: Draw): Instance => instances[draw.below(3)] ?? instances[0]

/** The storage answers one request of `every` in this way, for a while: not drawn by the seed, since how many requests there are depends on the clients. */
const storageFaults = (fault: Fault, every: number): Disturbance => async ({ storage }) => {
  let isFaulty = true
  storage.inject(fault, () => isFaulty && Math.random() < 1 / every, Infinity)
  await delay(FAULTY)
  isFaulty = false
}

/** What happens to three instances and to what they stand on. */
const DISTURBANCES: Readonly<Record<string, Disturbance>> = {
  'an instance is killed': async (cluster, draw) => {
    const instance = anInstance(cluster, draw)
    instance.signal('SIGKILL')
    await instance.ended()
    await instance.start()
  },
  'two instances are killed': async ({ instances }, draw) => {
    const two = draw.shuffled(instances).slice(1)
    for (const instance of two) instance.signal('SIGKILL')
    await Promise.all(two.map((instance) => instance.ended()))
    await Promise.all(two.map((instance) => instance.start()))
  },
  'all instances are rolled': async ({ instances }) => {
    for (const instance of instances) {
      instance.signal('SIGTERM')
      await instance.ended()
      await instance.start()
    }
  },
  'an instance freezes and wakes': async (cluster, draw) => {
    const instance = anInstance(cluster, draw)
    instance.signal('SIGSTOP')
    await delay(FROZEN)
    instance.signal('SIGCONT')
  },
  'Redis is killed and started': async ({ redis }) => {
    await redis.kill()
    await delay(AWAY)
    await redis.start()
  },
  'Redis freezes and wakes': async ({ redis }) => {
    redis.freeze()
    await delay(AWAY)
    redis.thaw()
  },
  'the storage fails': storageFaults('error', 3),
  'the storage says that it has too much to do': storageFaults('slow-down', 3),
  'the storage is slow': storageFaults('late', 2),
  'answers of the storage are lost': storageFaults('lost', 3),
  'answers of the storage are cut': storageFaults('cut', 3)
}

/** All of them in an order that the seed decides, so many times. */
export async function disturb (t: Test, cluster: Cluster, { seed, rounds }: { readonly seed: number, readonly rounds: number }): Promise<void> {
  const draw = new Draw(seed)
  for (let round = 0; round < rounds; round++) {
    for (const [name, disturbance] of draw.shuffled(Object.entries(DISTURBANCES))) {
      t.comment(name)
      await disturbance(cluster, draw)
      await delay(500)
    }
  }
}

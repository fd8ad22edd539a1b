import t from 'tap'
import { needs } from '../helpers/services.js'
import { survive } from './chaos.js'

const { CHAOS_SEED: seed = '2', CHAOS_ROUNDS: rounds = '8' } = process.env

t.test('several instances under a mixed load survive again and again what happens to them', async (t) => {
  for (const service of ['redis', 'swift', 'nginx', 'openssl'] as const) if (!await needs(t, service)) return
  await survive(t, { seed: Number(seed), rounds: Number(rounds), clients: 12 })
})

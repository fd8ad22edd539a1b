import t from 'tap'
import { QUICK, REFUSALS, refuses } from './handshake.js'

for (const attack of Object.keys(REFUSALS) as Array<keyof typeof REFUSALS>) {
  if (!QUICK.includes(attack)) await refuses(t, attack)
}

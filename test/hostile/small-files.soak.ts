import t from 'tap'
import { attacked, SMALL } from './refused.js'

for (const [attack, damaged] of Object.entries(SMALL)) attacked(t, attack, 'small', damaged)

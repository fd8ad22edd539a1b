import t from 'tap'
import { attacked, LARGE } from './refused.js'

for (const [attack, damaged] of Object.entries(LARGE)) attacked(t, attack, 'large', damaged)

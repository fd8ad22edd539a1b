import t from 'tap'
import { attacked, CHUNKS } from './refused.js'

for (const [attack, damaged] of Object.entries(CHUNKS)) attacked(t, attack, 'large', damaged)

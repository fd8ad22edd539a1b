import t from 'tap'
import { attacked, HEADERS } from './refused.js'

for (const [attack, damaged] of Object.entries(HEADERS)) attacked(t, attack, 'large', damaged)

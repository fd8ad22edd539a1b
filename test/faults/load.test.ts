import { platform } from 'node:os'
import t from 'tap'
import { holdLoad } from './load.js'

t.test('a hundred clients, some of whom behave badly', { skip: platform() !== 'linux' && 'memory is read in /proc' }, async (t) => {
  await holdLoad(t, { clients: 100, seconds: 8, isLong: false })
})

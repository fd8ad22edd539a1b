import t from 'tap'
import { holdLoad } from './load.js'

t.test('five hundred clients for two minutes, some of whom behave badly', async (t) => {
  await holdLoad(t, { clients: 500, seconds: 120, isLong: true })
})

import t from 'tap'
import { abortMany } from './aborted.js'

t.test('thousands of aborted uploads leave nothing', async (t) => {
  await abortMany(t, 5000, 2000)
})

import { platform } from 'node:os'
import t from 'tap'
import { abortMany } from './aborted.js'

t.test('hundreds of aborted uploads leave nothing', { skip: platform() !== 'linux' && 'descriptors are counted in /proc' }, async (t) => {
  await abortMany(t, 300, 300)
})

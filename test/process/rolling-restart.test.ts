import t from 'tap'
import { restartUnderLoad } from './rolling-restart.js'

t.test('a rolling restart under load loses no acknowledged byte', async (t) => {
  await restartUnderLoad(t, { clients: 3, size: 12 * 2 ** 20, piece: 2 ** 18, restarts: 2 })
})

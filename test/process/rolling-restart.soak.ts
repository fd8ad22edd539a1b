import t from 'tap'
import { parseSize } from '../../lib/config-values.js'
import { startNginx } from '../helpers/nginx.js'
import { needs } from '../helpers/services.js'
import { restartUnderLoad } from './rolling-restart.js'

/** Memory of this process: every client holds what it has downloaded. */
const SIZE = Math.min(parseSize(process.env['SOAK_SIZE'] ?? '256MiB'), 256 * 2 ** 20)

t.test('many rolling restarts behind nginx, under more clients, lose no acknowledged byte', async (t) => {
  if (!await needs(t, 'nginx') || !await needs(t, 'openssl')) return
  await restartUnderLoad(t, { clients: 6, size: SIZE, piece: 4 * 2 ** 20, restarts: 10, through: startNginx })
})

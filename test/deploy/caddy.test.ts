import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { startCaddy } from '../helpers/caddy.js'
import { shipped } from '../helpers/nginx.js'
import { temporaryFolder } from '../helpers/server.js'
import { CADDY, needs } from '../helpers/services.js'
import { checkProxy } from './proxied.js'

t.test('Caddy takes the shipped configuration', async (t) => {
  if (!await needs(t, 'caddy')) return
  const folder = await temporaryFolder(t)
  const path = join(folder, 'Caddyfile')
  await writeFile(path, await shipped('caddy/Caddyfile'))
  const env = { PATH: process.env['PATH'], HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const { stdout } = await promisify(execFile)(CADDY, ['validate', '--adapter', 'caddyfile', '--config', path], { env })
  t.match(stdout, 'Valid configuration')
})

t.test('behind Caddy', async (t) => {
  if (!await needs(t, 'caddy') || !await needs(t, 'openssl')) return
  await checkProxy(t, startCaddy)
})

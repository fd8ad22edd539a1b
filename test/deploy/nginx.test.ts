import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { startNginx, writeNginxConfiguration } from '../helpers/nginx.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs, NGINX } from '../helpers/services.js'
import { checkProxy } from './proxied.js'

t.test('nginx takes the shipped configuration without a warning', async (t) => {
  if (!await needs(t, 'nginx') || !await needs(t, 'openssl')) return
  const folder = await temporaryFolder(t)
  const { path } = await writeNginxConfiguration(folder, 'http://127.0.0.1:5000')
  const { stderr } = await promisify(execFile)(NGINX, ['-t', '-q', '-p', folder, '-c', path, '-e', 'stderr'])
  t.equal(stderr, '')
})

t.test('behind nginx', async (t) => {
  if (!await needs(t, 'nginx') || !await needs(t, 'openssl')) return
  await checkProxy(t, startNginx)
})

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { startNginx, writeNginxConfiguration, type Upstreams } from '../helpers/nginx.js'
import { temporaryFolder } from '../helpers/server.js'
import { needs, NGINX } from '../helpers/services.js'
import { checkProxy } from './proxied.js'

t.test('nginx takes the shipped configuration without a warning', async (t) => {
  if (!await needs(t, 'nginx') || !await needs(t, 'openssl')) return
  const check = async (...upstreams: Upstreams): Promise<string> => {
    const folder = await temporaryFolder(t)
    const { path } = await writeNginxConfiguration(folder, upstreams)
    return (await promisify(execFile)(NGINX, ['-t', '-q', '-p', folder, '-c', path, '-e', 'stderr'])).stderr
  }
  t.equal(await check('http://127.0.0.1:5000'), '')
  t.equal(await check('http://127.0.0.1:5000', 'http://127.0.0.1:5001'), '', 'nor with two instances')
})

t.test('behind nginx', async (t) => {
  if (!await needs(t, 'nginx') || !await needs(t, 'openssl')) return
  await checkProxy(t, startNginx)
})

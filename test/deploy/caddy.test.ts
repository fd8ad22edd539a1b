import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { createCertificate, trust } from '../helpers/certificate.js'
import { adapted, freePort, shipped, startProgram } from '../helpers/nginx.js'
import { temporaryFolder } from '../helpers/server.js'
import { CADDY, needs } from '../helpers/services.js'
import { checkProxy } from './proxied.js'

/** Real Caddy, as deploy/caddy sets it up: only ports and the certificate, which nobody could get here, are others. */
async function startCaddy (t: Test, upstream: string): Promise<string> {
  const folder = await temporaryFolder(t)
  const { certFile, keyFile, cert } = await createCertificate(folder)
  trust(t, cert)
  const port = await freePort()
  const path = join(folder, 'Caddyfile')
  await writeFile(path, adapted(await shipped('caddy/Caddyfile'), {
    '\n{\n': `\n{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_sni 127.0.0.1\n\thttp_port ${await freePort()}\n\thttps_port ${port}\n`,
    '\theader Strict': `\tbind 127.0.0.1\n\ttls ${certFile} ${keyFile}\n\theader Strict`
  }))
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, DOMAIN: `https://127.0.0.1:${port}`, UPSTREAM: new URL(upstream).host }
  await startProgram(t, CADDY, ['run', '--adapter', 'caddyfile', '--config', path], port, env)
  return `https://127.0.0.1:${port}`
}

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

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createCertificate, trust } from './certificate.js'
import { adapted, freePort, shipped, startProgram, type Upstreams } from './nginx.js'
import { temporaryFolder } from './server.js'
import { CADDY } from './services.js'

/**
 * Real Caddy in front of a server, or of two instances, as deploy/caddy sets it up: only ports and the certificate, which nobody could get
 * here, are others. @returns its origin
 */
export async function startCaddy (t: Test, upstream: string | Upstreams): Promise<string> {
  const folder = await temporaryFolder(t)
  const { certFile, keyFile, cert } = await createCertificate(folder)
  trust(t, cert)
  const port = await freePort()
  const path = join(folder, 'Caddyfile')
  await writeFile(path, adapted(await shipped('caddy/Caddyfile'), {
    '\n{\n': `\n{\n\tadmin off\n\tauto_https disable_redirects\n\tdefault_sni 127.0.0.1\n\thttp_port ${await freePort()}\n\thttps_port ${port}\n`,
    '\theader Strict': `\tbind 127.0.0.1\n\ttls ${certFile} ${keyFile}\n\theader Strict`
  }))
  const hosts = [upstream].flat().map((origin) => new URL(origin).host)
  const env = { HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder, DOMAIN: `https://127.0.0.1:${port}`, UPSTREAM: hosts.join(' ') }
  await startProgram(t, CADDY, ['run', '--adapter', 'caddyfile', '--config', path], port, env)
  return `https://127.0.0.1:${port}`
}

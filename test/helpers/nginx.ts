import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createCertificate, trust } from './certificate.js'
import { eventually } from './events.js'
import { projectPath } from './project.js'
import { temporaryFolder } from './server.js'
import { NGINX } from './services.js'

/** Origins of a server, or of several instances. */
export type Upstreams = readonly [string, ...string[]]

/** A configuration that this project ships. */
export const shipped = (path: string): Promise<string> => readFile(projectPath('deploy', path), 'utf8')

/** A text with other values in the places where each installation has its own; every one of them must be there. */
export function adapted (text: string, values: Readonly<Record<string, string>>): string {
  let result = text
  for (const [shippedValue, value] of Object.entries(values)) {
    if (!result.includes(shippedValue)) throw new Error(`"${shippedValue}" does not stand in what is shipped`)
    result = result.replaceAll(shippedValue, value)
  }
  return result
}

/**
 * nginx's configuration, with the site that deploy/nginx ships; only addresses and the certificate are others.
 *
 * @param location - path of the site that is passed on, with a slash at both ends
 */
export async function writeNginxConfiguration (folder: string, [first, ...others]: Upstreams, location = '/'): Promise<{ path: string, port: number, plainPort: number, cert: string }> {
  const certificate = await createCertificate(folder)
  const [port, plainPort] = [await freePort(), await freePort()]
  const path = join(folder, 'nginx.conf')
  await writeFile(path, OUTSIDE)
  await writeFile(join(folder, 'local-send.conf'), adapted(await shipped('nginx/local-send.conf'), {
    'server 127.0.0.1:5000 ': `server ${new URL(first).host} `,
    ...(others.length > 0 && { '# server 127.0.0.1:5001 max_fails=0;': others.map((origin) => `server ${new URL(origin).host} max_fails=0;`).join(' ') }),
    'listen 443 ssl http2;': `listen 127.0.0.1:${port} ssl http2;`,
    'listen [::]:443 ssl http2;': '',
    'listen 80;': `listen 127.0.0.1:${plainPort};`,
    'listen [::]:80;': '',
    'location / {': `location ${location} {`,
    '/etc/letsencrypt/live/files.example.org/fullchain.pem': certificate.certFile,
    '/etc/letsencrypt/live/files.example.org/privkey.pem': certificate.keyFile
  }))
  await mkdir(join(folder, 'snippets'))
  await writeFile(join(folder, 'snippets', 'local-send-proxy.conf'), await shipped('nginx/local-send-proxy.conf'))
  return { path, port, plainPort, cert: certificate.cert }
}

/** Real nginx in front of a server, or of several instances, as deploy/nginx sets it up; it ends with the test. @returns its origin */
export async function startNginx (t: Test, upstream: string | Upstreams, location?: string): Promise<string> {
  const folder = await temporaryFolder(t)
  const { path, port, cert } = await writeNginxConfiguration(folder, typeof upstream === 'string' ? [upstream] : upstream, location)
  trust(t, cert)
  await startProgram(t, NGINX, ['-p', folder, '-c', path, '-e', 'stderr'], port)
  return `https://127.0.0.1:${port}`
}

/** A program that listens on this port; it ends with the test. */
export async function startProgram (t: Test, program: string, args: readonly string[], port: number, env: Record<string, string> = {}): Promise<void> {
  const child = spawn(program, args, { env: { PATH: process.env['PATH'], ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { said += text })
  t.teardown(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  await eventually(() => {
    if (child.exitCode !== null) throw new Error(`${program} does not start: ${said}`)
    return takesConnections(port)
  }, 20)
}

/** What stands around the site in a file of Debian's package. */
const OUTSIDE = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  include local-send.conf;
}
`

export async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function takesConnections (port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => { resolve(false) })
  })
}

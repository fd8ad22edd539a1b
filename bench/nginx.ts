import { access, constants, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeNginxConfiguration } from '../test/helpers/nginx.js'
import { freePort, startSilentServer, type Server } from './process.js'

/** Where Debian's package puts it. */
export const NGINX = '/usr/sbin/nginx'

/** Whether this machine has nginx. */
export async function hasNginx (): Promise<boolean> {
  try {
    await access(NGINX, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Starts nginx as the current user. It takes files by PUT.
 *
 * @param folder - for its configuration and what it writes meanwhile
 * @param root - where the files go; on the same file system, where a rename suffices
 */
export async function startNginx (folder: string, root: string): Promise<Server> {
  const port = await freePort()
  const path = join(folder, 'nginx.conf')
  await writeFile(path, configuration(port, root))
  return await startSilentServer({ name: 'nginx', command: NGINX, args: ['-p', folder, '-c', path, '-e', 'stderr'], cwd: folder, env: {} }, port)
}

/**
 * Starts nginx as the current user, in front of a server, as deploy/nginx sets it up.
 *
 * @param folder - for its configuration and what it writes meanwhile
 * @returns the server, and the file with the certificate that it shows
 */
export async function startNginxProxy (folder: string, upstream: string): Promise<{ server: Server, certFile: string }> {
  const { path, port } = await writeNginxConfiguration(folder, [upstream])
  const server = await startSilentServer({ name: 'nginx', command: NGINX, args: ['-p', folder, '-c', path, '-e', 'stderr'], cwd: folder, env: {} }, port)
  return { server: { ...server, origin: `https://127.0.0.1:${port}` }, certFile: join(folder, 'cert.pem') }
}

/** One process, whose CPU time and memory are all there is; the paths that are not absolute start at the folder given by `-p`. */
const configuration = (port: number, root: string): string => `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events {}
http {
  access_log off;
  client_max_body_size 0;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port};
    root "${root}";
    dav_methods PUT;
  }
}
`

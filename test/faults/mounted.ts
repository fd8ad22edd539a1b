import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { spawnServer, type ServerProcess } from '../helpers/process.js'

const run = promisify(execFile)

export interface Mounted extends ServerProcess {
  /** Runs a command where the server sees its folder: "$1" is that folder. @returns its standard output */
  readonly inside: (script: string) => Promise<string>
}

/**
 * A server whose UPLOAD_FOLDER is a small file system of its own (tmpfs, in a mount namespace that ends with the server). It has no
 * capabilities: permissions hold for it as for anybody.
 */
export async function spawnMounted (t: Test, size: string, environment: Record<string, string> & { readonly UPLOAD_FOLDER: string }): Promise<Mounted> {
  const folder = environment.UPLOAD_FOLDER
  const server = await spawnServer(t, environment, {
    under: [
      'unshare', '--mount', '--map-root-user', 'sh', '-c', 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec setpriv --bounding-set=-all --inh-caps=-all "$@"', 'sh', size, folder
    ]
  })
  const pid = String(server.child.pid)
  return {
    ...server,
    inside: async (script) => (await run('nsenter', ['--mount', '--user', '--preserve-credentials', '--target', pid, 'sh', '-c', script, 'sh', folder])).stdout
  }
}

import { access, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort, startSilentServer, type Server } from './process.js'
import type { Sending } from './sending.js'
import { watch } from './watched.js'

/** Where Debian's magic-wormhole, python3-magic-wormhole-mailbox-server and magic-wormhole-transit-relay put them. */
export const WORMHOLE = '/usr/bin/wormhole'
const TWISTD = '/usr/bin/twistd3'

/** Whether this machine has magic-wormhole and its servers. */
export async function hasWormhole (): Promise<boolean> {
  try {
    await Promise.all([access(WORMHOLE), access(TWISTD)])
    return true
  } catch {
    return false
  }
}

async function startTwisted (name: string, folder: string, args: (listen: string) => string[]): Promise<Server> {
  const port = await freePort()
  const listen = `tcp:${port}:interface=127.0.0.1`
  return await startSilentServer({ name, command: TWISTD, args: ['--nodaemon', '--pidfile=', `--logfile=${join(folder, `${name}.log`)}`, ...args(listen)], cwd: folder, env: {} }, port)
}

/** What lies between the two sides once they have met: nothing, or the relay, which passes on without storing. */
export type Way = 'directly' | 'by its relay'

/**
 * magic-wormhole with a mailbox server and a relay of its own on this machine. Its two sides find each other by the mailbox, and
 * then talk directly: the relay is there, and not needed. It is where neither of them listens, as behind most routers.
 */
export async function wormhole (folder: string, way: Way): Promise<Sending> {
  await mkdir(folder)
  const mailbox = await startTwisted('wormhole-mailbox', folder, (listen) => ['wormhole-mailbox', `--port=${listen}`, `--channel-db=${join(folder, 'channels.sqlite')}`])
  const relay = await startTwisted('transitrelay', folder, (listen) => ['transitrelay', `--port=${listen}`])
  const common = [`--relay-url=${mailbox.origin.replace('http:', 'ws:')}/v1`, `--transit-helper=tcp:${new URL(relay.origin).host}`]
  const options = ['--hide-progress', ...way === 'directly' ? [] : ['--no-listen']]
  const env = { LC_ALL: 'C.UTF-8', HOME: folder }
  let nameplate = 0
  return {
    name: way === 'directly' ? 'magic-wormhole' : `magic-wormhole, ${way}`,
    servers: [mailbox, relay],
    async transfer (path, output) {
      const code = `${++nameplate}-absent-mango`
      const sender = watch({ command: WORMHOLE, args: [...common, 'send', ...options, '--code', code, path], cwd: folder, env })
      const receiver = watch({ command: WORMHOLE, args: [...common, 'receive', ...options, '--accept-file', '--output-file', output, code], cwd: folder, env })
      const [sent, received] = await Promise.all([sender.ended, receiver.ended])
      return { sender: sent, receiver: received }
    }
  }
}

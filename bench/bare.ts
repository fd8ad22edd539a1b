import { mkdir } from 'node:fs/promises'
import { codeOfContender, startContender } from './process.js'
import type { Sending } from './sending.js'
import { watch, type Usage } from './watched.js'

/**
 * The shortest programs that seal, store, hand on and open the bytes of a file by way of a server, as Local Send does, under a key that
 * everybody knows: no handshake, no names, nothing that could be gone on with. What it costs beside these is Local Send's own.
 */
export async function bare (folder: string): Promise<Sending> {
  await mkdir(folder)
  const server = await startContender('bare-server', { FOLDER: folder })
  const [sender, receiver] = await Promise.all([codeOfContender('bare-sender'), codeOfContender('bare-receiver')])
  const run = (code: string, file: string): Promise<Usage> => watch({ command: process.execPath, args: ['--input-type=module', '--eval', code], cwd: folder, env: { ORIGIN: server.origin, FILE: file } }).ended
  return {
    name: 'the bytes alone',
    servers: [server],
    async transfer (path, output) {
      const [sent, received] = await Promise.all([run(sender, path), run(receiver, output)])
      return { sender: sent, receiver: received }
    }
  }
}

import { randomBytes } from 'node:crypto'
import type { Test } from 'tap'
import { createSession, type TestSession } from '../helpers/client.js'
import { spawnServer, type ServerProcess } from '../helpers/process.js'
import { temporaryFolder } from '../helpers/server.js'

/** One session on a server that can crash. */
export interface Place {
  /** Its `url` changes with every crash. */
  readonly session: TestSession
  readonly server: ServerProcess
  /** Kills the server, and starts it again on the same folder. */
  readonly crash: () => Promise<void>
}

/** The built server, which keeps its sessions over a crash. */
export async function startPlace (t: Test, environment: Record<string, string> = {}): Promise<Place> {
  const settings = {
    SESSION_STORE: 'embedded',
    SESSION_KEY_SECRET: randomBytes(32).toString('hex'),
    RATE_LIMIT_TOKEN: '1000000',
    UPLOAD_FOLDER: await temporaryFolder(t),
    ...environment
  }
  let server = await spawnServer(t, settings)
  let session = await createSession(server.origin)
  return {
    get session () { return session },
    get server () { return server },
    crash: async () => {
      server.child.kill('SIGKILL')
      await server.exit
      server = await spawnServer(t, settings)
      if (server.origin === '') throw new Error(`the server did not start again: ${server.output()}`)
      session = { ...session, url: `${server.origin}/api/session/${session.id}` }
    }
  }
}

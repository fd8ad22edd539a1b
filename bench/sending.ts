import type { Server } from './process.js'
import type { Usage } from './watched.js'

/** A way for two commands to hand a file over. */
export interface Sending {
  readonly name: string
  readonly servers: readonly Server[]
  /** Runs both commands to their end. @param output - path of the file to be written */
  readonly transfer: (path: string, output: string) => Promise<{ readonly sender: Usage, readonly receiver: Usage }>
}

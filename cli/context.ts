import type { Report } from './report.js'

/** What every command is given. */
export interface Context {
  readonly report: Report
  /** Fires when the program is asked to end. */
  readonly signal: AbortSignal
}

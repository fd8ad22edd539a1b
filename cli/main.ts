#!/usr/bin/env node
/** The command line: arguments, the process, and what it ends with. */

import { setFlagsFromString } from 'node:v8'
import { CommanderError } from 'commander'
import type { Context } from './context.js'
import { EXIT } from './exit-codes.js'
import { explain } from './explain.js'
import { interruptSignal } from './interrupt.js'
import { buildProgram } from './program.js'
import { Report } from './report.js'
import { Terminal } from './terminal/terminal.js'

/** Milliseconds after which the process ends although something still holds it. */
const LAST_WAIT = 1000

const terminal = new Terminal(process)
const current: { report: Report, transfers: boolean } = { report: new Report(terminal, process.argv.includes('--json')), transfers: false }

const program = buildProgram({
  context: (json): Context => {
    // V8 takes the buffers that come and go for a heap that fills, and marks all of it over and over: a second of CPU for each gigabyte received.
    setFlagsFromString('--no-incremental-marking')
    current.report = new Report(terminal, json)
    current.transfers = true
    return { report: current.report, signal: interruptSignal() }
  },
  onExit: (code) => { process.exitCode = code },
  write: (text) => { terminal.result(text) }
})
for (const command of [program, ...program.commands]) command.exitOverride()

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = error instanceof CommanderError ? usageExit(error) : fail(error)
}
// A server goes on; a transfer is over, whatever still holds a connection or the terminal.
if (current.transfers) setTimeout(() => process.exit(), LAST_WAIT).unref()

/** Commander has said already what is wrong; help and version are no mistakes. */
function usageExit ({ exitCode }: CommanderError): number {
  return exitCode === 0 ? EXIT.done : EXIT.usage
}

function fail (error: unknown): number {
  const { report } = current
  const { code, sentence, exitCode } = explain(error, report.server)
  report.endProgress()
  if (report.json) report.tell({ event: 'error', code, message: sentence, exit: exitCode })
  else for (const line of [sentence, report.advice]) if (line !== undefined) report.say(line)
  return exitCode
}

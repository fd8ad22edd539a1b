import { mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

const tasks: Array<() => void> = []

/**
 * Has something undone when this process ends, in whatever way it does: the last thing begun first. It is the only place that
 * cleans up after errors and Ctrl-C, so a task must not wait for anything.
 */
export function atExit (task: () => void): void {
  if (tasks.length === 0) listen()
  tasks.push(task)
}

function listen (): void {
  process.on('exit', () => { while (tasks.length > 0) tasks.pop()?.() })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => { process.exit(128 + constants.signals[signal]) })
  }
}

/** A new folder in the system's folder for temporary files (TMPDIR), which is gone when this process ends. */
export function temporaryFolder (): string {
  const folder = mkdtempSync(join(tmpdir(), 'local-send-bench-'))
  // A server that was killed a moment ago may still finish creating a file: then its folder is not empty, and tried again.
  atExit(() => { rmSync(folder, { recursive: true, force: true, maxRetries: 10 }) })
  return folder
}

import { basename, join } from 'node:path'
import { projectPath } from '../helpers/project.js'
import { PYTHON } from '../helpers/services.js'
import type { Command } from './scene.js'

export interface Place {
  readonly origin: string
  readonly cwd: string
  readonly password: string
}

/** A program that sends and receives: the receiver into `received` below `cwd`, the sender what comes in return into `returned`. */
export interface Client {
  readonly send: (place: Place, paths: readonly string[]) => Command
  /** @param inReturn - what the receiver sends, where the program can do so */
  readonly receive: (place: Place, code: string, inReturn: readonly string[]) => Command
  /** Whether a sender has uploaded all and answers those who join. */
  readonly isReady: (output: string) => boolean
  readonly codeOf: (output: string) => string
  /** Whether a file of this name is plainly an unfinished one. */
  readonly isPartial: (name: string) => boolean
}

const SCRIPT = projectPath('examples/python/end_to_end.py')

/** The independent client. */
export const python: Client = {
  send: (place, paths) => pythonCommand(place, ['send', ...paths]),
  receive: (place, code) => pythonCommand(place, ['receive', code]),
  isReady: (output) => /^code /m.test(output),
  codeOf: (output) => /^code (\S+?)(?:,|$)/m.exec(output)?.[1] ?? '',
  isPartial: (name) => name.endsWith('.partial')
}

function pythonCommand ({ origin, cwd, password }: Place, args: readonly string[]): Command {
  const env = { LOCAL_SEND_SERVER: origin, LOCAL_SEND_PASSWORD: password, XDG_STATE_HOME: join(cwd, 'state'), PYTHONDONTWRITEBYTECODE: '1', PYTHONUNBUFFERED: '1' }
  return { program: PYTHON, args: [SCRIPT, ...args], env, cwd }
}

/** The command line: as it was built, or another program. */
export const commandLine = (program = projectPath('dist/cli/main.js')): Client => ({
  send: (place, paths) => commandOf(place, 'sender', program, ['send', '--json', '--yes', '--output', 'returned', ...paths]),
  receive: (place, code, inReturn) => commandOf(place, 'receiver', program, ['receive', code, '--json', '--yes', '--output', 'received', ...inReturn.flatMap((path) => ['--send', path])]),
  isReady: (output) => output.includes('{"event":"sent"'),
  codeOf: (output) => /"code":"([^"]+)"/.exec(output)?.[1] ?? '',
  isPartial: (name) => /^\..*\.part$/.test(basename(name))
})

/** What goes past the server, a dishonest one cannot touch. */
function commandOf ({ origin, cwd, password }: Place, who: string, program: string, args: readonly string[]): Command {
  return { program: process.execPath, args: [program, ...args], env: { LOCAL_SEND_NO_DIRECT: '1', LOCAL_SEND_SERVER: origin, LOCAL_SEND_PASSPHRASE: password, XDG_STATE_HOME: join(cwd, 'state', who) }, cwd }
}

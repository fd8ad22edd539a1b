import { join } from 'node:path'
import { PYTHON } from '../helpers/services.js'
import type { Command } from './scene.js'

export interface Place {
  readonly origin: string
  readonly cwd: string
  readonly password: string
}

/** A program that sends and receives; what it receives goes into `received` below `cwd`. */
export interface Client {
  readonly send: (place: Place, paths: readonly string[]) => Command
  readonly receive: (place: Place, code: string) => Command
  /** Whether a sender has uploaded all and answers those who join. */
  readonly isReady: (output: string) => boolean
  readonly codeOf: (output: string) => string
  /** Whether a file of this name is plainly an unfinished one. */
  readonly isPartial: (name: string) => boolean
}

const SCRIPT = join(import.meta.dirname, '../../examples/python/end_to_end.py')

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

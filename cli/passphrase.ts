/** Where a passphrase comes from. It need never be an argument: those are seen by everybody on the machine. */

import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { CliError } from './cli-error.js'
import type { Context } from './context.js'
import { EXIT } from './exit-codes.js'
import { sentenceFor } from './files/system-error.js'
import { ask } from './terminal/prompts.js'

/** Names the variable of the environment. */
const VARIABLE = 'LOCAL_SEND_PASSPHRASE'

/**
 * The passphrase from a file, standard input (`-`) or the environment; one line, without its end.
 * @returns `undefined` if none of them holds one
 */
export async function givenPassphrase (file: string | undefined): Promise<string | undefined> {
  if (file !== undefined) return firstLine(await readPassphrase(file))
  const value = process.env[VARIABLE] ?? ''
  return value === '' ? undefined : value
}

/** Asks for the passphrase of a session that exists. */
export async function askPassphrase ({ report, signal }: Context): Promise<string> {
  if (!report.terminal.interactive) throw new CliError(`The code holds no passphrase: give it by --passphrase-file or ${VARIABLE}.`, EXIT.usage)
  return await ask(report.terminal, 'Passphrase:', { signal, hidden: true })
}

/** Asks twice for a passphrase that somebody chooses. */
export async function choosePassphrase ({ report, signal }: Context): Promise<string> {
  if (!report.terminal.interactive) throw new CliError(`Nobody can be asked for the passphrase here: give it by --passphrase-file or ${VARIABLE}.`, EXIT.usage)
  for (;;) {
    const chosen = await ask(report.terminal, 'New passphrase, 8 characters or more:', { signal, hidden: true })
    if (await ask(report.terminal, 'Once more:', { signal, hidden: true }) === chosen) return chosen
    report.say('They differ.')
  }
}

/** The first line of standard input. */
export const lineOfInput = async (): Promise<string> => firstLine(await text(process.stdin))

/** All of standard input, without the end of its last line. */
export const textOfInput = async (): Promise<string> => (await text(process.stdin)).replace(/\r?\n$/, '')

async function readPassphrase (file: string): Promise<string> {
  if (file === '-') return await text(process.stdin)
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new CliError(`The passphrase in ${file} cannot be read: ${sentenceFor(cause)}.`, EXIT.usage, { cause })
  }
}

const firstLine = (content: string): string => content.split(/\r?\n/, 1)[0] ?? ''

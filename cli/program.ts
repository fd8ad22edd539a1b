import { Command, InvalidArgumentError, Option } from 'commander'
import { version } from '../lib/version.js'
import { completion, SHELLS, type Shell } from './commands/completion.js'
import { receive, type ReceiveOptions } from './commands/receive.js'
import { send, type SendOptions } from './commands/send.js'
import { serve, type ServeOptions } from './commands/serve.js'
import { DEFAULT_SERVER } from './connection.js'
import type { Context } from './context.js'
import { EXIT_MEANINGS, type ExitCode } from './exit-codes.js'
import { parseDuration, wholeNumber } from './options.js'

/** What the program needs of the process. */
export interface Surroundings {
  /** What a command that transfers is given. */
  readonly context: (json: boolean) => Context
  /** Called with what the command ends with. */
  readonly onExit: (code: ExitCode) => void
  /** Writes a result. */
  readonly write: (text: string) => void
}

const EXIT_CODES = `\nExit codes:\n${EXIT_MEANINGS.map(([code, meaning]) => `  ${String(code).padEnd(4)} ${meaning}`).join('\n')}`

/** The commands with their options: the one table from which help and completions are made. */
export function buildProgram ({ context, onExit, write }: Surroundings): Command {
  const program = new Command('local-send')
    .description('Hand files to somebody with nothing but a short code, encrypted from end to end.')
    .version(version)
    .showHelpAfterError('(local-send --help says how)')
    .addHelpText('after', EXIT_CODES)

  withConnection(program.command('send'))
    .description('send files, folders, standard input (-) or a text')
    .argument('[paths...]', 'files and folders; - for standard input')
    .option('--text [text]', 'send a text; asked for, or read from standard input, if it is not given')
    .option('--name <name>', 'what standard input is called (default: stdin)')
    .option('-n, --receivers <number>', 'how many may join, and are waited for', wholeNumber(1), 1)
    .option('--expires <time>', 'when the session ends at the latest: 30m, 2h, 7d', parseDuration)
    .option('--max-downloads <number>', 'how often each file may be downloaded', wholeNumber(1))
    .option('--words <number>', 'words of the passphrase that is made up', wholeNumber(3), 3)
    .option('--choose', 'ask for a passphrase of your own instead of making one up')
    .option('--passphrase-file <file>', 'take the passphrase from a file, or standard input (-); also LOCAL_SEND_PASSPHRASE')
    .option('--managed', 'let the server encrypt, so that any HTTP client can receive')
    .addOption(direct('let the receiver take nothing from this machine, only from the server'))
    .option('--verify', 'show what both sides can compare by voice')
    .option('--resume <code>', 'go on with an interrupted transfer')
    .option('-o, --output <folder>', 'where files that come in return go', '.')
    .option('-y, --yes', 'take what comes in return without asking')
    .option('-f, --force', 'replace files that are there')
    .action(async (paths: string[], options: SendOptions & Json) => { onExit(await send(paths, options, context(options.json === true))) })

  withConnection(program.command('receive'))
    .description('receive what somebody sends')
    .argument('[code]', 'code or link; asked for, or read from LOCAL_SEND_CODE or standard input, if it is not given')
    .option('-o, --output <folder>', 'where files go (default: this folder)')
    .option('-y, --yes', 'take everything without asking')
    .option('-f, --force', 'replace files that are there')
    .option('--send <paths...>', 'send these in return')
    .option('--passphrase-file <file>', 'take the passphrase from a file, or standard input (-); also LOCAL_SEND_PASSPHRASE')
    .option('--managed', 'expect a session that the server encrypts')
    .addOption(direct('take nothing from the sender\'s machine, only from the server'))
    .option('--verify', 'compare by voice before anything is received')
    .option('--resume', 'go on with an interrupted transfer')
    .action(async (code: string | undefined, options: ReceiveOptions & Json) => { onExit(await receive(code, options, context(options.json === true))) })

  program.command('serve')
    .description('start the server; its settings are environment variables (README.md)')
    .option('--host <address>', 'address to listen on')
    .option('--port <number>', 'port to listen on', wholeNumber(0))
    .option('--folder <folder>', 'folder for the encrypted files')
    .action(async (options: ServeOptions) => { await serve(options) })

  program.command('completion')
    .description('print what makes a shell complete this command')
    .argument('<shell>', SHELLS.join(', '), oneOfShells)
    .action((shell: Shell) => { write(completion(program, shell)) })

  return program
}

const direct = (description: string): Option => new Option('--no-direct', `${description}; also LOCAL_SEND_NO_DIRECT=1`).default(true)

interface Json { readonly json?: true }

const withConnection = (command: Command): Command => command
  .option('-s, --server <url>', `the server (default: LOCAL_SEND_SERVER, or ${DEFAULT_SERVER})`)
  .option('--ca <file>', 'trust the authorities in this file, too')
  .option('--json', 'print one JSON object a line on standard output')

function oneOfShells (text: string): Shell {
  const shell = SHELLS.find((known) => known === text)
  if (shell === undefined) throw new InvalidArgumentError(`It must be one of ${SHELLS.join(', ')}.`)
  return shell
}

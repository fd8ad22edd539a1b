import { resolve } from 'node:path'
import { renderUnicodeCompact } from 'uqr'
import { formatCode, generatePassphrase, linkTo, parseCodeOrLink } from '../../client/code.js'
import { derivingOnce } from '../../client/derive-once.js'
import { restoreMember, saveMember } from '../../client/saved-member.js'
import { apiOf, createSession, type Member } from '../../client/session.js'
import { CliError } from '../cli-error.js'
import { connect, DEFAULT_SERVER, isLocal, serverFromEnvironment } from '../connection.js'
import type { Context } from '../context.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import { askPassphrase, choosePassphrase, givenPassphrase, textOfInput } from '../passphrase.js'
import { StateFolder } from '../state/state-folder.js'
import { count, formatSize } from '../terminal/format.js'
import { ask } from '../terminal/prompts.js'
import { prepare } from '../transfer/prepare.js'
import { runSession } from '../transfer/run-session.js'
import { newSavedSession, type Inputs, type SavedSession } from '../transfer/saved-session.js'
import { checkInputs, sourcesOf } from '../transfer/sources.js'

export interface SendOptions {
  readonly server?: string
  readonly ca?: string
  /** `true` where it is to be asked for. */
  readonly text?: string | true
  readonly name?: string
  readonly receivers: number
  /** Seconds. */
  readonly expires?: number
  readonly maxDownloads?: number
  readonly managed?: true
  /** Whether what is sent may go past the server, as far as the command line says. */
  readonly direct: boolean
  readonly passphraseFile?: string
  readonly choose?: true
  readonly words: number
  readonly verify?: true
  readonly resume?: string
  readonly output: string
  readonly yes?: true
  readonly force?: true
}

/** `send`: creates a session, says how to get into it, sends, and stays until it has been received. */
export async function send (paths: readonly string[], options: SendOptions, context: Context): Promise<ExitCode> {
  if (options.resume !== undefined) return await resumeSend(options.resume, paths, options, context)
  const readsText = options.text === true && !context.report.terminal.interactive
  if (options.passphraseFile === '-' && (readsText || paths.includes('-'))) throw new CliError('Standard input cannot be both the passphrase and what is sent.', EXIT.usage)
  const inputs = await checkInputs({ paths, text: await textOf(options, context), name: options.name })
  if (inputs.paths.length === 0 && inputs.text === undefined) throw new CliError('Name what is to be sent: files, folders, - for standard input, or --text.', EXIT.usage)
  const { passphrase, generated } = await passphraseFor(options, context)
  const derive = derivingOnce()
  const connection = await connect({ server: serverOf(options.server), ca: options.ca }, context.report)
  const { member, verificationCode, passwordAdvice } = await createSession(connection, {
    kind: options.managed === true ? 'managed' : 'end-to-end',
    password: passphrase,
    maxJoiners: options.receivers,
    expiresIn: options.expires,
    maxDownloads: options.maxDownloads,
    signal: context.signal
  })
  const code = formatCode({ sessionId: member.sessionId, verificationCode, passphrase: generated ? passphrase : undefined })
  announce({ code, member, generated }, options, context)
  if (passwordAdvice !== undefined) context.report.say(passwordAdvice)
  const state = newSavedSession({ member: saveMember(member), code, inputs, receivers: options.receivers, output: resolve(options.output), maxDownloads: options.maxDownloads })
  const close = (): Promise<void> => apiOf(connection, member).close({ signal: AbortSignal.timeout(3000) }).catch(() => {})
  const { sources, folder } = await prepare(member, { passphrase, derive }, state, context).catch(async (error: unknown) => {
    // Nothing was sent, and there is nothing to go on with.
    await close()
    throw error
  })
  return await runSession({ connection, member, passphrase, derive, folder, state, sources, resumed: false, ...switches(options) }, context)
}

/** Goes on where an earlier run was interrupted. */
async function resumeSend (given: string, paths: readonly string[], options: SendOptions, context: Context): Promise<ExitCode> {
  const code = parseCodeOrLink(given)
  const passphrase = code.passphrase ?? await givenPassphrase(options.passphraseFile) ?? await askPassphrase(context)
  const derive = derivingOnce()
  const { folder, state } = await StateFolder.resume<SavedSession>({ sessionId: code.sessionId, role: 'creator', passphrase, derive })
  const member = restoreMember(state.member)
  const connection = await connect({ server: options.server ?? member.server, ca: options.ca }, context.report)
  try {
    const next = { ...state, inputs: await inputsOf(state.inputs, paths, options) }
    const sources = await sourcesOf(next.inputs, { ...context, member, inputIsLost: paths.length === 0 })
    await folder.write(next)
    context.report.tell({ event: 'resumed', session_id: member.sessionId, code: state.code }, `Going on with ${state.code}`)
    return await runSession({ connection, member, passphrase, derive, folder, state: next, sources, resumed: true, ...switches(options) }, context)
  } catch (error) {
    await folder.keep()
    throw error
  }
}

/** What is sent by a run that goes on: what was typed or piped in is not asked for again. */
async function inputsOf (earlier: Inputs, paths: readonly string[], { text: given, name = earlier.name }: SendOptions): Promise<Inputs> {
  const text = typeof given === 'string' ? given : earlier.text
  const textGiven = text === earlier.text ? earlier.textGiven : undefined
  return await checkInputs({ paths: paths.length === 0 ? earlier.paths : paths, text, textGiven, name })
}

const switches = ({ verify, yes, force, direct }: SendOptions) => ({ verify: verify === true, yes: yes === true, force: force === true, direct })

const serverOf = (given: string | undefined): string => given ?? serverFromEnvironment()

async function textOf ({ text }: SendOptions, { report, signal }: Context): Promise<string | undefined> {
  if (text !== true) return text
  return report.terminal.interactive ? await ask(report.terminal, 'Text:', { signal }) : await textOfInput()
}

async function passphraseFor ({ passphraseFile, choose, words }: SendOptions, context: Context): Promise<{ readonly passphrase: string, readonly generated: boolean }> {
  const given = await givenPassphrase(passphraseFile)
  if (given !== undefined) return { passphrase: given, generated: false }
  if (choose === true) return { passphrase: await choosePassphrase(context), generated: false }
  return { passphrase: generatePassphrase(words), generated: true }
}

/** Says how to get in, before anything else is done. */
function announce ({ code, member, generated }: { readonly code: string, readonly member: Member, readonly generated: boolean }, { server, managed }: SendOptions, { report }: Context): void {
  const { server: address, sessionId, kind, expiresAt, limits } = member
  const command = ['local-send receive', code, serverOf(server) === DEFAULT_SERVER ? '' : `--server ${address}`, managed === true ? '--managed' : ''].filter((part) => part !== '').join(' ')
  const link = linkTo(address, code)
  report.tell({ event: 'session', session_id: sessionId, code, command, link, kind, expires_at: expiresAt, limits })
  if (report.json) return
  report.terminal.block(['', `  Code     ${code}`, `  Command  ${command}`, `  Link     ${link}`, ''].join('\n'))
  if (report.terminal.hasStatus && !isLocal(address)) report.terminal.block(qrCode(link))
  if (!generated) report.say('The other side is asked for the passphrase, which is not part of the code.')
  if (managed === true) report.say(`The server at ${new URL(address).host} encrypts, and could read what is sent.`)
  report.say(`Limits: ${formatSize(limits.maxFileSize)} a file, ${formatSize(limits.maxSessionSize)} and ${count(limits.maxFiles, 'file')} in all. Unused, the session ends at ${new Date(expiresAt).toLocaleTimeString('en-GB')}.`)
}

/** Its light parts are drawn, so they are white on black whatever the colours of the terminal are: not every camera reads the opposite. */
const qrCode = (text: string): string =>
  renderUnicodeCompact(text, { border: 2 }).split('\n').map((line) => `\x1b[97;40m${line}\x1b[0m`).join('\n')

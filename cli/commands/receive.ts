import { resolve } from 'node:path'
import { parseCodeOrLink, type CodeOrLink } from '../../client/code.js'
import { derivingOnce } from '../../client/derive-once.js'
import { joinSession, type JoinState } from '../../client/join.js'
import { restoreMember, saveMember } from '../../client/saved-member.js'
import { apiOf, type Connection, type Member } from '../../client/session.js'
import { CliError } from '../cli-error.js'
import { connect, serverFromEnvironment, toldOf } from '../connection.js'
import type { Context } from '../context.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import { OutputFolder } from '../files/output-folder.js'
import { askPassphrase, givenPassphrase, lineOfInput } from '../passphrase.js'
import { guessCounter } from '../state/guess-counter.js'
import { StateFolder } from '../state/state-folder.js'
import { ask, confirm } from '../terminal/prompts.js'
import { prepare } from '../transfer/prepare.js'
import { runSession } from '../transfer/run-session.js'
import { newSavedSession, type SavedSession } from '../transfer/saved-session.js'
import { checkInputs, sourcesOf } from '../transfer/sources.js'

export interface ReceiveOptions {
  readonly server?: string
  readonly ca?: string
  readonly output?: string
  readonly yes?: true
  readonly force?: true
  readonly verify?: true
  readonly managed?: true
  /** Whether what is sent may go past the server, as far as the command line says. */
  readonly direct: boolean
  readonly passphraseFile?: string
  /** Paths that are sent in return. */
  readonly send?: readonly string[]
  readonly resume?: true
}

const STATES: Record<JoinState, string> = {
  deriving: 'Joining…',
  waiting: 'Waiting for the other side…',
  confirming: 'Checking the passphrase…'
}

/** `receive`: joins a session, takes what is offered if it is wanted, and sends in return what was named. */
export async function receive (given: string | undefined, options: ReceiveOptions, context: Context): Promise<ExitCode> {
  const text = given ?? await codeFor(options, context)
  const code = parseCodeOrLink(text)
  const passphrase = code.passphrase ?? await givenPassphrase(options.passphraseFile) ?? await askPassphrase(context)
  return options.resume === true ? await resumeReceive(code, passphrase, options, context) : await join(code, passphrase, options, context)
}

async function join (code: CodeOrLink, passphrase: string, options: ReceiveOptions, context: Context): Promise<ExitCode> {
  const { report, signal } = context
  const inputs = await checkInputs({ paths: options.send ?? [] })
  await OutputFolder.check(resolve(options.output ?? '.'))
  await StateFolder.refuseInterrupted(code.sessionId, 'joiner')
  const connection = await connect({ server: serverOf(code, options), ca: options.ca }, report)
  const guesses = await guessCounter(code.sessionId)
  const derive = derivingOnce()
  const joined = new AbortController()
  const { member, verifier } = await joinSession(toldOf(connection, report, joined.signal), {
    code: `${code.sessionId}-${code.verificationCode}`,
    password: passphrase,
    derive,
    kind: options.managed === true ? 'managed' : 'end-to-end',
    guesses,
    signal,
    onState: (state) => { report.terminal.status(STATES[state]) }
  }).finally(() => {
    joined.abort()
    report.terminal.status('')
  })
  report.tell({ event: 'joined', session_id: member.sessionId, kind: member.kind, verifier }, options.verify === true ? `Verifier: ${verifier}` : 'Joined.')
  if (options.verify === true && !await verified(context)) {
    await leave(connection, member)
    report.tell({ event: 'declined' }, 'Declined: if the verifiers differ, somebody sits in between. Nothing was received.')
    return EXIT.declined
  }
  const state = newSavedSession({ member: saveMember(member), code: '', inputs, receivers: 1, output: resolve(options.output ?? '.') })
  const { sources, folder } = await prepare(member, { passphrase, derive }, state, context).catch(async (error: unknown) => {
    await leave(connection, member)
    throw error
  })
  return await runSession({ connection, member, passphrase, derive, folder, state, sources, resumed: false, ...switches(options) }, context)
}

/** Goes on where an earlier run was interrupted; nobody has to be there to let anybody in. */
async function resumeReceive (code: CodeOrLink, passphrase: string, options: ReceiveOptions, context: Context): Promise<ExitCode> {
  const derive = derivingOnce()
  const { folder, state } = await StateFolder.resume<SavedSession>({ sessionId: code.sessionId, role: 'joiner', passphrase, derive })
  try {
    const member = restoreMember(state.member)
    const connection = await connect({ server: options.server ?? member.server, ca: options.ca }, context.report)
    const sources = await sourcesOf(state.inputs, { ...context, member, inputIsLost: true })
    const next = options.output === undefined ? state : { ...state, output: resolve(options.output) }
    await folder.write(next)
    context.report.tell({ event: 'resumed', session_id: member.sessionId }, `Going on, into ${next.output}`)
    return await runSession({ connection, member, passphrase, derive, folder, state: next, sources, resumed: true, ...switches(options) }, context)
  } catch (error) {
    await folder.keep()
    throw error
  }
}

const switches = ({ verify, yes, force, direct }: ReceiveOptions) => ({ verify: verify === true, yes: yes === true, force: force === true, direct })

/** A link names its server; only what is said on the command line outweighs it. */
const serverOf = ({ server }: CodeOrLink, options: ReceiveOptions): string =>
  options.server ?? server ?? serverFromEnvironment()

/** The code from the environment, or whoever types it, or standard input. */
async function codeFor ({ passphraseFile }: ReceiveOptions, { report, signal }: Context): Promise<string> {
  const variable = process.env['LOCAL_SEND_CODE'] ?? ''
  if (variable !== '') return variable
  if (passphraseFile === '-') throw new CliError('Standard input cannot be both the code and the passphrase: give the code as an argument or by LOCAL_SEND_CODE.', EXIT.usage)
  return report.terminal.interactive ? await ask(report.terminal, 'Code:', { signal }) : await lineOfInput()
}

async function verified ({ report, signal }: Context): Promise<boolean> {
  if (!report.terminal.interactive) return true
  return await confirm(report.terminal, 'Does the other side see the same?', signal)
}

const leave = (connection: Connection, member: Member): Promise<void> => apiOf(connection, member).leave({ signal: AbortSignal.timeout(3000) }).catch(() => {})

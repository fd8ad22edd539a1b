/** A session from when one is in it to its end: sending, receiving, answering those who join; for both roles, in both directions. */

import { ClientError, isSessionGone } from '../../client/errors.js'
import { events, type SessionEvent } from '../../client/events.js'
import { hostJoins, MAX_FAILURES } from '../../client/host.js'
import { keepAlive } from '../../client/keep-alive.js'
import { apiOf, type Connection, type Member } from '../../client/session.js'
import type { Source } from '../../client/source.js'
import type { DeriveW } from '../../lib/crypto/password.js'
import { CliError } from '../cli-error.js'
import { toldOf } from '../connection.js'
import type { Context } from '../context.js'
import type { DirectListener } from '../direct/listener.js'
import { listenDirectly, receiveDirectly } from '../direct/ways.js'
import { EXIT, type ExitCode } from '../exit-codes.js'
import { OutputFolder } from '../files/output-folder.js'
import { Interrupted } from '../interrupt.js'
import { ReceiveJournal } from '../state/receive-journal.js'
import { SendJournalFolder } from '../state/send-journal.js'
import type { StateFolder } from '../state/state-folder.js'
import { count } from '../terminal/format.js'
import type { AcceptanceOptions } from './acceptance.js'
import { Incoming } from './incoming.js'
import { Outgoing } from './outgoing.js'
import type { SavedSession } from './saved-session.js'

export interface SessionRun extends AcceptanceOptions {
  readonly connection: Connection
  readonly member: Member
  readonly passphrase: string
  readonly derive: DeriveW
  readonly folder: StateFolder<SavedSession>
  readonly state: SavedSession
  /** Whether an earlier run was interrupted. */
  readonly resumed: boolean
  readonly sources: readonly Source[]
  /** Whether whoever joins is shown with the verifier. */
  readonly verify: boolean
  /** Whether what is sent may go past the server, as far as the command line says. */
  readonly direct: boolean
}

/** Milliseconds in which the other side is told of an end. */
const FAREWELL = 5000

/**
 * Runs the session to its end.
 * @returns the exit code
 */
export async function runSession (given: SessionRun, context: Context): Promise<ExitCode> {
  const stop = new AbortController()
  const signal = AbortSignal.any([context.signal, stop.signal])
  const run = { ...given, connection: toldOf(given.connection, context.report, signal) }
  const sendJournal = await SendJournalFolder.open(run.folder.path, run.folder.sealing)
  const receiveJournal = await ReceiveJournal.open(run.folder.path, run.folder.sealing)
  const listener = await listenDirectly(run, context.report)
  const parts = await partsOf(run, { context, signal, sendJournal, receiveJournal, listener }).catch(async (error: unknown) => {
    await listener?.close()
    // What an earlier run has left is worth more than this one.
    if (run.resumed) await run.folder.keep()
    else {
      await farewell(run)
      await run.folder.remove()
    }
    throw error
  })
  let outcome: Outcome
  const background = [watch(run, parts, context, signal), host(run, parts, context, signal), keepAlive(run.connection, run.member, { signal })]
  try {
    const ended = Promise.all(background).then(() => parts.closed)
    ended.catch(() => {})
    outcome = await Promise.race([mainOf(run, parts, context), ended.then(() => new Promise<never>(() => {}))])
  } catch (error) {
    outcome = { error: context.signal.aborted ? new Interrupted() : error }
  }
  const keeps = 'error' in outcome && !(outcome.error instanceof Interrupted) && !isSessionGone(outcome.error)
  stop.abort(new Interrupted())
  context.report.endProgress()
  await Promise.allSettled(background)
  await parts.incoming.end(keeps)
  await listener?.close()
  await sendJournal.close()
  if (!keeps && !await farewell(run)) context.report.warn(unheardFarewell(run))
  await (keeps ? run.folder.keep() : run.folder.remove())
  if ('exitCode' in outcome) return outcome.exitCode
  if ('verdict' in outcome) throw outcome.verdict
  if (keeps) context.report.advice = 'What has been transferred is kept. Go on with it by the same command with --resume and the code.'
  throw isSessionGone(outcome.error) ? endedEarly(run) : outcome.error
}

/** How it ended. A verdict is a failure behind which there is nothing to go on with. */
type Outcome = { readonly exitCode: ExitCode } | { readonly verdict: CliError } | { readonly error: unknown }

interface Parts {
  readonly outgoing: Outgoing | undefined
  readonly incoming: Incoming
  /** When the session was closed. */
  readonly closed: Promise<void>
  readonly onClosed: () => void
}

interface Journals {
  readonly context: Context
  readonly signal: AbortSignal
  readonly sendJournal: SendJournalFolder
  readonly receiveJournal: ReceiveJournal
  readonly listener: DirectListener | undefined
}

async function partsOf (run: SessionRun, { context: { report }, signal, sendJournal, receiveJournal, listener }: Journals): Promise<Parts> {
  const { connection, member, sources, state, yes, force } = run
  let onClosed = (): void => {}
  const closed = new Promise<void>((resolve) => { onClosed = resolve })
  const receivers = member.role === 'creator' ? state.receivers : 1
  const outgoing = sources.length === 0 ? undefined : new Outgoing({ connection, member, sources, journal: sendJournal, direct: listener?.sending, report, receivers, signal, host: state.host, maxDownloads: state.maxDownloads })
  const incoming = new Incoming({ connection, member, report, folder: await OutputFolder.open(state.output), journal: receiveJournal, own: () => new Set([...outgoing?.delivery.own ?? [], ...sendJournal.fileIds]), direct: receiveDirectly(run, report), yes, force, signal })
  return { outgoing, incoming, closed, onClosed }
}

const mainOf = async (run: SessionRun, parts: Parts, context: Context): Promise<Outcome> =>
  run.member.role === 'creator' ? { exitCode: await runCreator(run, parts, context) } : await runJoiner(run, parts, context)

/** The creator sends, waits until the others have it, and takes what they have sent. */
async function runCreator ({ state: { receivers } }: SessionRun, { outgoing, incoming }: Parts, { report }: Context): Promise<ExitCode> {
  const receiving = incoming.run()
  const sending = outgoing?.send().then(() => {
    if (outgoing.delivery.own.size > 0) report.say('Waiting until it has been received…')
    return outgoing.delivery.settled
  })
  await Promise.race([receiving.then(() => sending), sending])
  incoming.finish()
  await receiving
  if (outgoing === undefined) return incoming.failed > 0 ? EXIT.someFailed : EXIT.done
  const complete = outgoing.delivery.receivers >= receivers
  report.tell({ event: 'done', receivers: outgoing.delivery.receivers, complete }, endOf(outgoing, complete))
  if (outgoing.delivery.own.size === 0) return EXIT.someFailed
  if (complete) return outgoing.delivery.failed + incoming.failed > 0 ? EXIT.someFailed : EXIT.done
  return outgoing.delivery.received === 0 ? EXIT.declined : EXIT.someFailed
}

function endOf ({ delivery: { own, receivers, failed } }: Outgoing, complete: boolean): string {
  if (own.size === 0) return 'Nothing could be sent.'
  if (!complete) return 'The other side has left without taking everything.'
  const all = failed === 0 ? '' : `, but for ${count(failed, 'file')} that could not be sent`
  return `Received and verified by ${receivers === 1 ? 'the other side' : `all ${receivers} receivers`}${all}.`
}

/** A joiner receives and sends at the same time; the creator hears that all is here when all was sent as well. */
async function runJoiner ({ member: { kind } }: SessionRun, { outgoing, incoming, closed }: Parts, { report }: Context): Promise<Outcome> {
  if (outgoing !== undefined) incoming.holdMarks()
  const sending = outgoing?.send().then(() => incoming.releaseMarks())
  const receiving = incoming.run()
  await Promise.all([sending, receiving])
  if (outgoing !== undefined) await Promise.race([outgoing.delivery.settled, closed])
  const { declined, files, failed, skipped, isComplete } = incoming
  if (declined && files + failed === 0) {
    report.tell({ event: 'declined' }, 'Declined; nothing was received.')
    return { exitCode: EXIT.declined }
  }
  report.tell({ event: 'done', files, failed, skipped, complete: isComplete && !declined }, summaryOf(incoming))
  if (failed > 0 || declined || (outgoing?.delivery.failed ?? 0) > 0) return { exitCode: EXIT.someFailed }
  if (kind === 'end-to-end' && !isComplete) return { verdict: new CliError('The session has ended, and its sender did not say that this was all.', EXIT.nobodyThere) }
  if (outgoing !== undefined && outgoing.delivery.receivers < 1) return { verdict: new CliError('What was sent in return was not taken.', EXIT.declined) }
  return { exitCode: EXIT.done }
}

const summaryOf = ({ files, failed, skipped, declined }: Incoming): string =>
  [`Received and verified ${count(files, 'file')}`, failed > 0 ? `${failed} failed` : '', skipped > 0 ? `${skipped} left out` : '', declined ? 'the rest declined' : ''].filter((part) => part !== '').join(', ') + '.'

/** Follows the session's events; ends when it is closed. */
async function watch (run: SessionRun, { outgoing, incoming, onClosed }: Parts, context: Context, signal: AbortSignal): Promise<void> {
  const { member, folder, state } = run
  let { host } = state
  for await (const event of events(run.connection, member, { signal })) {
    tellEvent(run, event, outgoing, context)
    if (event.type === 'reset') await outgoing?.delivery.catchUp()
    outgoing?.delivery.onEvent(event)
    incoming.onEvent(event)
    if (event.type === 'session.closed') onClosed()
    // Of an end-to-end session it is the host of the joins who knows, and writes it down.
    if (event.type === 'join.joined' && member.role === 'creator' && member.kind === 'managed') {
      host = { ...host, joined: [...host.joined, event.joinId] }
      await folder.write({ ...state, host })
    }
  }
  // A creator ends a session himself when he is done with it.
  if (member.role === 'creator') throw new ClientError('SESSION_CLOSED')
}

function tellEvent ({ member: { role, kind } }: SessionRun, event: SessionEvent, outgoing: Outgoing | undefined, { report }: Context): void {
  if (role !== 'creator') return
  if (event.type === 'participant.left') report.tell({ event: 'left', join_id: event.joinId }, outgoing?.delivery.receivers === 0 ? 'Somebody has left.' : undefined)
  if (event.type === 'join.joined' && kind === 'managed') report.tell({ event: 'joined', join_id: event.joinId }, 'Somebody has joined.')
  if (event.type === 'join.refused' && event.reason === 'code') report.tell({ event: 'refused', reason: 'code' }, 'Somebody tried to join with a wrong number.')
  if (event.type === 'join.refused' && event.reason === 'password' && kind === 'managed') report.tell({ event: 'refused', reason: 'password' }, 'Somebody tried to join with a wrong passphrase.')
}

/** Answers those who join an end-to-end session. */
async function host ({ connection, member, passphrase, derive, folder, state, verify }: SessionRun, { outgoing }: Parts, { report }: Context, signal: AbortSignal): Promise<void> {
  if (member.role !== 'creator' || member.kind !== 'end-to-end') return
  let saved = state
  await hostJoins(connection, member, {
    password: passphrase,
    derive,
    state: state.host,
    signal,
    onState: async (host) => {
      saved = { ...saved, host }
      await folder.write(saved)
    },
    onJoined: ({ joinId, verifier }) => {
      outgoing?.delivery.onJoined(joinId)
      report.tell({ event: 'joined', join_id: joinId, verifier }, `Somebody has joined.${verify ? ` Verifier: ${verifier}` : ''}`)
    },
    onRefused: ({ joinId, reason }) => {
      if (reason === 'gone') outgoing?.delivery.onGone(joinId)
      const sentence = { password: `Somebody tried to join with a wrong passphrase (${saved.host.failures} of ${MAX_FAILURES} attempts).`, full: 'Somebody tried to join, but all places are taken.', lapsed: undefined, gone: undefined }
      report.tell({ event: 'refused', join_id: joinId, reason }, sentence[reason])
    },
    onLocked: () => {
      report.tell({ event: 'locked' }, 'The session is locked after too many failed attempts: nobody else can join. Start again with a new code.')
    }
  })
}

/**
 * Ends the session, or leaves it, so that the other side is told.
 * @returns whether that was heard; that it has ended already is as good
 */
async function farewell ({ connection, member }: SessionRun): Promise<boolean> {
  const api = apiOf(connection, member)
  const signal = AbortSignal.timeout(FAREWELL)
  try {
    await (member.role === 'creator' ? api.close({ signal }) : api.leave({ signal }))
    return true
  } catch (error) {
    return isSessionGone(error)
  }
}

const unheardFarewell = ({ member: { role } }: SessionRun): string => role === 'creator'
  ? 'the session could not be ended, since the server did not answer: it ends by itself when nobody has used it for some time.'
  : 'the other side could not be told that you have left, since the server did not answer.'

const endedEarly = ({ member: { role } }: SessionRun): CliError => new CliError(
  role === 'creator' ? 'The session has ended: it was closed or has expired before everything was received.' : 'The other side has ended the session before everything was received.', EXIT.nobodyThere)

/** Which of its states the page is in. */

import { computed, effect, signal } from '@preact/signals'
import type { Code } from '../client/code.js'
import type { Source } from '../client/source.js'
import { connection } from './address.js'
import { readCode } from './input/entered-code.js'
import { typedCode, typedText } from './input/typed.js'
import { noteUnderWay, readInterruption, type Interruption } from './interruption.js'
import { forgetInterrupted, interruptedSessions, type KeptName } from './kept/kept-session.js'
import { ProblemError, problemOf, type Problem } from './transfer/problem.js'
import { Receiving } from './transfer/receiving.js'
import { GoingOn, isChosenElsewhere } from './transfer/going-on.js'
import { Sending, type SendChoices } from './transfer/sending.js'

export type Screen =
  | { readonly name: 'home', readonly problem?: Problem | undefined, readonly interruption?: Interruption | undefined }
  | { readonly name: 'opening' }
  | { readonly name: 'going-on', readonly goingOn: GoingOn }
  | { readonly name: 'sending', readonly sending: Sending }
  | { readonly name: 'receiving', readonly receiving: Receiving }

export const screen = signal<Screen>({ name: 'home', interruption: readInterruption() })

/** The transfers of this browser that can be gone on with. */
export const interrupted = signal<readonly KeptName[]>([])

/** Looks for them. */
export async function lookForInterrupted (): Promise<void> {
  interrupted.value = await interruptedSessions()
}

/** Forgets them: they begin anew. */
export async function forgetThem (): Promise<void> {
  await forgetInterrupted()
  await lookForInterrupted()
}

/** What would be lost if the page were closed now. */
export const underWay = computed<Interruption | undefined>(() => {
  const { value } = screen
  if (value.name === 'sending' && value.sending.isUnderWay) return 'sending'
  return value.name === 'receiving' && value.receiving.isUnderWay ? 'receiving' : undefined
})

/** What a reload would end: all that is under way and not kept. */
const atStake = computed<Interruption | undefined>(() => {
  const { value } = screen
  const isKept = (value.name === 'sending' && value.sending.isKept) || (value.name === 'receiving' && value.receiving.isKept)
  return isKept ? undefined : underWay.value
})

/** Has the page know, if it is loaded again, what that has ended. */
export const followInterruption = (): void => {
  effect(() => { noteUnderWay(atStake.value) })
}

/** Forgets what was typed as soon as it has served: a text that everybody has, a code that has let its user in. */
export const followTyped = (): void => {
  effect(() => {
    const { value } = screen
    if (value.name === 'sending' && isTextDelivered(value.sending)) typedText.value = ''
    if (value.name === 'receiving' && value.receiving.phase.value.name === 'offered') typedCode.value = ''
  })
}

function isTextDelivered ({ phase: { value: phase }, files: { rows } }: Sending): boolean {
  return phase.name === 'done' && phase.complete && rows.some(({ source }) => source.kind === 'text')
}

const isAtHome = (): boolean => screen.value.name === 'home'

/** Back to the beginning. */
export function start (): void {
  screen.value = { name: 'home' }
  void lookForInterrupted()
}

/** Sends these. Nothing happens while something else is going on. */
export function send (sources: readonly Source[], choices: SendChoices): void {
  if (!isAtHome()) return
  const sending = new Sending(connection, sources, choices)
  screen.value = { name: 'sending', sending }
  void sending.run()
}

/** Goes on with what an earlier tab was sending; the files that it needs may have to be chosen first. */
async function goOn (code: Code): Promise<void> {
  const goingOn = await GoingOn.open(connection, code)
  typedCode.value = ''
  screen.value = { name: 'going-on', goingOn }
  if (goingOn.missing.value.length === 0) sendOn(goingOn)
  // Sending on finds out what has become of the session, and says so.
  else void goingOn.ended.then(() => { sendOn(goingOn) })
}

/** Sends on, without what is missing; or ends it, for all. Once: what was dropped may be read when something else has been decided. */
export function sendOn (goingOn: GoingOn, { stop = false } = {}): void {
  if (screen.value.name !== 'going-on' || screen.value.goingOn !== goingOn) return
  const sending = goingOn.begin()
  if (stop) sending.stop()
  screen.value = { name: 'sending', sending }
  void sending.run()
}

/** Receives what a code, or a link, leads to, or goes on with it. Nothing happens while something else is going on. */
export async function open (text: string): Promise<void> {
  if (!isAtHome()) return
  try {
    const code = readCode(text)
    if (code.server !== undefined && code.server !== connection.server) {
      // Its own page is to open it: this one speaks to its own server only.
      location.assign(text.trim())
      return
    }
    screen.value = { name: 'opening' }
    await lookForInterrupted()
    const roles = interrupted.value.filter(({ sessionId }) => sessionId === code.sessionId).map(({ role }) => role)
    interrupted.value = interrupted.value.filter(({ sessionId }) => sessionId !== code.sessionId)
    if (roles.includes('creator')) {
      await goOn(code)
      return
    }
    if (await isChosenElsewhere(code.sessionId)) throw new ProblemError({ code: 'KEPT_ELSEWHERE' })
    const receiving = new Receiving(connection, code, roles.includes('joiner'))
    screen.value = { name: 'receiving', receiving }
    if (!receiving.needsPassphrase) void receiving.run()
  } catch (error) {
    screen.value = { name: 'home', problem: problemOf(error) }
    void lookForInterrupted()
  }
}

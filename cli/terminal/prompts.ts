/** Questions to whoever sits at the terminal. Ctrl-C at a question is the same as at any other time. */

import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { cleanLine } from './clean-text.js'
import type { Terminal } from './terminal.js'

interface Question {
  readonly signal: AbortSignal
  /** Whether what is typed stays off the screen. */
  readonly hidden?: boolean
}

/** Asks for one line. @throws the signal's reason */
export async function ask (terminal: Terminal, question: string, { signal, hidden = false }: Question): Promise<string> {
  return await terminal.without(async () => {
    signal.throwIfAborted()
    const echo = hidden ? new Writable({ write: (_chunk, _encoding, done) => { done() } }) : terminal.questions
    if (hidden) terminal.questions.write(cleanLine(question) + ' ')
    const lines = createInterface({ input: terminal.input, output: echo, terminal: true, historySize: 0 })
    // In raw mode Ctrl-C is a character: it is made the signal that it is elsewhere.
    lines.on('SIGINT', () => process.emit('SIGINT'))
    const ended = new Promise<string>((resolve) => { lines.once('close', () => { resolve('') }) })
    try {
      return await Promise.race([lines.question(hidden ? '' : `${cleanLine(question)} `, { signal }), ended])
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      lines.close()
      if (hidden) terminal.questions.write('\n')
    }
  })
}

/** Asks for a yes or a no; anything else is a no. */
export async function confirm (terminal: Terminal, question: string, signal: AbortSignal): Promise<boolean> {
  return (await choose(terminal, `${question} [y/N]`, ['y', 'n'], signal)) === 'y'
}

/**
 * Asks for one of some letters until one of them comes.
 * @returns the letter as it was typed: `Y` where `Y` is among the choices, otherwise its lower case; the last choice for an empty line
 */
export async function choose<Choice extends string> (terminal: Terminal, question: string, choices: readonly [...Choice[], Choice], signal: AbortSignal): Promise<Choice> {
  for (;;) {
    const typed = (await ask(terminal, question, { signal })).trim()
    const wanted = [typed.slice(0, 1), typed.slice(0, 1).toLowerCase()]
    const chosen = choices.find((choice) => wanted[0] === choice) ?? choices.find((choice) => wanted[1] === choice)
    if (chosen !== undefined) return chosen
    const last = choices.at(-1)
    if (typed === '' && last !== undefined) return last
  }
}

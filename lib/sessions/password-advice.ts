import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'

/** A guesser has a handful of tries at a live session; this many guesses make even a hundred locked sessions no danger. */
const ENOUGH_GUESSES = 1e8
/** Estimating takes time that grows with the square of the length; what is longer than this is judged by its beginning. */
const JUDGED_CHARACTERS = 40

// Without a language's dictionaries of words and names, which take 30 MB of memory: the common passwords, which these are, hold
// most of what people choose in any language.
const estimator = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs })

const ADVICE = 'This password is easy to guess; three or more random words are better.'

/** What would make a weak password stronger; `undefined` for one that is strong enough. Only advice: nothing is refused for it. */
export function adviseOnPassword (password: string): string | undefined {
  return estimator.check(password.slice(0, JUDGED_CHARACTERS)).guesses < ENOUGH_GUESSES ? ADVICE : undefined
}

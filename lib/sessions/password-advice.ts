import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import * as common from '@zxcvbn-ts/language-common'
import * as english from '@zxcvbn-ts/language-en'

/** A guesser has a handful of tries at a live session; this many guesses make even a hundred locked sessions no danger. */
const ENOUGH_GUESSES = 1e8
/** Estimating takes time that grows with the square of the length; what is longer than this is judged by its beginning. */
const JUDGED_CHARACTERS = 40

const estimator = new ZxcvbnFactory({
  dictionary: { ...common.dictionary, ...english.dictionary },
  graphs: common.adjacencyGraphs,
  translations: english.translations
})

/**
 * What would make a weak password stronger; `undefined` for one that is strong enough. Only advice: nothing is refused for it.
 */
export function adviseOnPassword (password: string): string | undefined {
  const { guesses, feedback } = estimator.check(password.slice(0, JUDGED_CHARACTERS))
  if (guesses >= ENOUGH_GUESSES) return undefined
  return ['This password is easy to guess; three or more random words are better.', feedback.warning ?? '', ...feedback.suggestions]
    .filter((sentence) => sentence !== '').join(' ')
}

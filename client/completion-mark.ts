/**
 * How a receiver knows that a sender has offered all he wants to offer. The server cannot be believed that nothing is missing, nor
 * does a list say so: it grows while files are sent. So a sender's last entry is an empty folder with the name `.`: "this folder
 * is complete". It is sealed like every other, and whoever does not know it makes a folder that is there.
 */

import type { OfferedFile } from './offers.js'
import { directorySource, type Source } from './source.js'

const NAME = '.'
/** What a journal knows it by. */
export const MARK_KEY = 'mark:complete'

/** Always the same, so that one that was sent before an interruption is known again, and stays. */
export const completionMark = (): Source => ({ ...directorySource(NAME, new Date(0)), key: MARK_KEY })

export const isCompletionMark = ({ kind, name }: Pick<OfferedFile, 'kind' | 'name'>): boolean => kind === 'directory' && name === NAME

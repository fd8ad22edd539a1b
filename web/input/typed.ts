/**
 * What has been typed and chosen. It outlives the views, so that a failure does not take it away; it is in the page's memory
 * alone, and gone with the page.
 */

import { signal } from '@preact/signals'
import type { SendChoices } from '../transfer/sending.js'

/** A text to be sent. */
export const typedText = signal('')
/** A code, or a link. */
export const typedCode = signal('')
/** What holds for who chooses nothing. */
export const DEFAULT_CHOICES: SendChoices = { receivers: 1, expiresIn: undefined, kind: 'end-to-end' }
export const choices = signal(DEFAULT_CHOICES)

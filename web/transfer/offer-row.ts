import { computed, signal } from '@preact/signals'
import type { OfferedFile } from '../../client/offers.js'
import { safePath } from '../../client/safe-path.js'
import type { Download } from '../saving/download.js'
import { Gauge } from './gauge.js'
import type { Problem } from './problem.js'

/** What has become of one file that is on offer. */
export type OfferState =
  | { readonly name: 'offered' | 'waiting' | 'checking' | 'receiving' | 'withdrawn' }
  /** In its place, or handed to the browser, or a text that is shown. */
  | { readonly name: 'saved', readonly download?: Download | undefined, readonly text?: string }
  | { readonly name: 'failed', readonly problem: Problem }

/** One file that is on offer, as a view shows it. */
export class OfferRow {
  readonly file: OfferedFile
  /** Safe to show, and to save under. */
  readonly path: readonly [string, ...string[]]
  readonly gauge: Gauge
  readonly is = signal<OfferState>({ name: 'offered' })
  readonly state = computed(() => this.is.value.name)
  /** Whether an earlier tab has handed it to the browser, and all of it is still here. */
  readonly isHeld: boolean

  constructor (file: OfferedFile, isHeld = false) {
    this.file = file
    this.isHeld = isHeld
    this.path = safePath(file.name)
    this.gauge = new Gauge(file.size)
  }

  /** Whether it is asked for, and not all here. */
  get isComing (): boolean {
    return ['waiting', 'checking', 'receiving'].includes(this.state.value)
  }

  /** Whether it can be asked for. */
  get isOpen (): boolean {
    return this.state.value === 'offered' || this.state.value === 'failed'
  }

  /** Begins anew. */
  reset (state: 'waiting' | 'checking' | 'receiving'): void {
    if (state !== 'waiting') this.gauge.restart()
    this.is.value = { name: state }
  }
}

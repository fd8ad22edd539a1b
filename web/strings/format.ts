/** Sizes and times as people read them, in the page's language. */

import { language } from './index.js'

const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** Bytes, in decimal units as file managers and browsers show them: `12.3 MB`. */
export function formatSize (bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1000
    unit += 1
  }
  const style = { style: 'unit', unit: SIZES[unit] ?? 'byte', unitDisplay: 'short' } as const
  return new Intl.NumberFormat(language.value, unit === 0 ? { ...style, maximumFractionDigits: 0 } : { ...style, maximumSignificantDigits: 3 }).format(value)
}

/** Seconds, in one or two units: `45 sec`, `3 min 20 sec`. */
export function formatDuration (seconds: number): string {
  const whole = Math.max(1, Math.round(seconds))
  const part = (value: number, unit: 'second' | 'minute' | 'hour'): string =>
    new Intl.NumberFormat(language.value, { style: 'unit', unit, unitDisplay: 'short' }).format(value)
  if (whole < 60) return part(whole, 'second')
  if (whole < 3600) return `${part(Math.floor(whole / 60), 'minute')} ${part(whole % 60, 'second')}`
  return `${part(Math.floor(whole / 3600), 'hour')} ${part(Math.floor(whole % 3600 / 60), 'minute')}`
}

/** Values of options, from what was typed. */

import { InvalidArgumentError } from 'commander'

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds from `90`, `90s`, `30m`, `2h` or `7d`. */
export function parseDuration (text: string): number {
  const [, number = '', unit = 's'] = /^(\d{1,9})([smhd])?$/.exec(text) ?? []
  const seconds = Number(number) * (UNITS[unit] ?? 1)
  if (number === '' || seconds < 1) throw new InvalidArgumentError('It must be a time such as 90s, 30m, 2h or 7d.')
  return seconds
}

/** A whole number of at least `least`. */
export const wholeNumber = (least: number) => (text: string): number => {
  const number = Number(text)
  if (!/^\d{1,9}$/.test(text) || number < least) throw new InvalidArgumentError(`It must be a whole number from ${least} on.`)
  return number
}

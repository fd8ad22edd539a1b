import { randomBytes, toHex } from '../crypto/bytes.js'

const ID = /^([0-9a-f]{16})-(0|[1-9]\d{0,15})$/

/** A place among the events of a session: behind the event of this number, which counts from 1 in each epoch. */
export interface EventPosition {
  readonly epoch: string
  readonly number: number
}

/** What tells the ids of one channel from those of another that had the same session before. */
export const newEpoch = (): string => toHex(randomBytes(8))

export const formatEventId = ({ epoch, number }: EventPosition): string => `${epoch}-${number}`

/** `undefined` for what no hub has ever given out. */
export function parseEventId (id: string): EventPosition | undefined {
  const [, epoch, digits] = ID.exec(id) ?? []
  const number = Number(digits)
  return epoch !== undefined && Number.isSafeInteger(number) ? { epoch, number } : undefined
}

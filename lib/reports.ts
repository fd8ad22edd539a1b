import type { ServiceEvent } from './service-events.js'

/** What an operator may want to read of one by one, in the audit log and by the webhook; the rest is for counting. */
export const REPORTED = [
  'session.created', 'session.locked', 'session.unlocked', 'session.ended', 'join.started', 'join.succeeded', 'join.refused',
  'participant.left', 'operator.refused', 'drain.began', 'drain.ended'
] as const satisfies ReadonlyArray<ServiceEvent['type']>

export type ReportedType = typeof REPORTED[number]

export type ReportedEvent = Extract<ServiceEvent, { readonly type: ReportedType }>

export const isReported = (event: ServiceEvent): event is ReportedEvent => REPORTED.some((type) => type === event.type)

/** An event as logs and webhooks show it. */
export type Report = Readonly<Record<string, string | number | null>>

/** What there is to say of an event beside its type, in the API's spelling: `session_id`, `failed_attempts`. */
export const reportOf = ({ type: _type, ...details }: ReportedEvent): Report =>
  Object.fromEntries(Object.entries(details).map(([name, value]: [string, string | number | null]) => [name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]))

import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { get as getSecurely } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'

export interface SentEvent {
  readonly id: string
  readonly type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** What a stream has sent so far. */
export interface EventReader {
  readonly response: IncomingMessage
  readonly events: readonly SentEvent[]
  /** As EventSource would send it when it comes back. */
  readonly lastEventId: string | undefined
  readonly comments: number
  readonly raw: string
  /** How the stream ended; `undefined` while it has not. */
  readonly ended: 'complete' | 'broken' | undefined
}

/** Opens an event stream; it is read as it comes. */
export async function listen (url: string, token: string, lastEventId?: string): Promise<EventReader> {
  const headers = { authorization: `Bearer ${token}`, ...(lastEventId !== undefined && { 'last-event-id': lastEventId }) }
  const [response] = await once(url.startsWith('https:') ? getSecurely(`${url}/events`, { headers }) : get(`${url}/events`, { agent: false, headers }), 'response') as [IncomingMessage]
  const reader = { response, events: [] as SentEvent[], lastEventId: undefined as string | undefined, comments: 0, raw: '', ended: undefined as EventReader['ended'] }
  let rest = ''
  response.setEncoding('utf8').on('data', (text: string) => {
    reader.raw += text
    const blocks = `${rest}${text}`.split('\n\n')
    rest = blocks.pop() ?? ''
    for (const block of blocks) takeBlock(reader, block)
  })
  response.on('end', () => { reader.ended ??= 'complete' }).on('error', () => { reader.ended ??= 'broken' })
  // The first block comes with the headers, and says from where on one hears everything.
  await eventually(() => response.statusCode !== 200 || reader.lastEventId !== undefined)
  return reader
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation */
function takeBlock (reader: { events: SentEvent[], lastEventId: string | undefined, comments: number }, block: string): void {
  let type = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? []
    if (field === '') reader.comments += 1
    else if (field === 'id') reader.lastEventId = value
    else if (field === 'event') type = value
    else if (field === 'data') data.push(value)
  }
  if (data.length > 0) reader.events.push({ id: reader.lastEventId ?? '', type, data: JSON.parse(data.join('\n')) as SentEvent['data'] })
}

/**
 * Waits for what certainly comes.
 * @param interval - milliseconds between two looks
 * @throws Error after a minute, with what was waited for
 */
export async function eventually (holds: () => boolean | Promise<boolean>, interval = 5): Promise<void> {
  for (const deadline = Date.now() + 60_000; !await holds();) {
    if (Date.now() > deadline) throw new Error(`It does not come to that: ${String(holds)}`)
    await delay(interval)
  }
}

export const typesOf = ({ events }: EventReader): string[] => events.map(({ type }) => type)

/** Waits for an event of this type. @returns the first of them */
export async function arrival (reader: EventReader, type: string): Promise<SentEvent> {
  await eventually(() => reader.ended !== undefined || typesOf(reader).includes(type))
  const found = reader.events.find((event) => event.type === type)
  if (found === undefined) throw new Error(`the stream ended without ${type}: ${typesOf(reader).join(' ')}`)
  return found
}

/** What a tab keeps of its sources, for another one to know them again: a browser gives a file to the page that it was chosen on alone. */

import { ClientError } from '../../client/errors.js'
import type { SendRecord } from '../../client/journal.js'
import { directorySource, textSource, type Source } from '../../client/source.js'

/** One source, as JSON has it. */
export interface KeptSource {
  /** What the journal knows it by. */
  readonly key: string
  readonly name: string
  readonly size: number | null
  /** When it was last changed, RFC 3339, UTC. */
  readonly modified: string
  readonly kind?: 'text' | 'directory'
  /** Of a text: itself, so that nobody has to type it again. */
  readonly text?: string
}

/** What is kept of a source. */
export async function keptSourceOf (source: Source): Promise<KeptSource> {
  const { key = source.name, name, size, modified, kind } = source
  return { key, name, size, modified: modified.toISOString(), ...(kind !== undefined && { kind }), ...(kind === 'text' && { text: await textOf(source) }) }
}

async function textOf (source: Source): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of source.read(0, new AbortController().signal)) text += decoder.decode(bytes, { stream: true })
  return text + decoder.decode()
}

/** The source itself, where what is kept is all of it: a text, an empty folder. */
export function wholeSourceOf ({ key, name, modified, kind, text }: KeptSource): Source | undefined {
  if (kind === 'directory') return { ...directorySource(name, new Date(modified)), key }
  return text === undefined ? undefined : { ...textSource(text, { name, modified: new Date(modified) }), key }
}

/** A file that the server has all of, in the place of the one that nobody needs to choose again. */
export const sentSource = ({ key, name }: KeptSource, { size, modified }: SendRecord): Source =>
  ({ key, name, size, type: '', modified: new Date(modified), read: () => { throw new ClientError('SOURCE_FAILED') } })

/** Of those with the name of a file that was chosen the one that it has not changed from, or else the first. */
export const matchOf = (named: readonly KeptSource[], { size, modified }: Source): KeptSource | undefined =>
  named.find((one) => one.size === size && one.modified === modified.toISOString()) ?? named[0]

/** They by their names: several have one where it was chosen in several folders. */
export function byName (kept: readonly KeptSource[]): ReadonlyMap<string, readonly KeptSource[]> {
  const named = new Map<string, KeptSource[]>()
  for (const one of kept) {
    const others = named.get(one.name)
    if (others === undefined) named.set(one.name, [one])
    else others.push(one)
  }
  return named
}

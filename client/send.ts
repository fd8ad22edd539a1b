/**
 * Sending: any number of sources of any size, in constant memory. Large ones go by tus, one after the other; small ones are packed,
 * hundreds in one request.
 */

import { Earlier } from './earlier.js'
import { ahead } from './ahead.js'
import { deliver } from './deliver.js'
import type { DirectSending } from './direct-sending.js'
import { isClientError } from './errors.js'
import type { Connection, Options } from './http.js'
import type { SendJournal } from './journal.js'
import { Gathering, isSmall, pack, type Packed } from './pack.js'
import { PATIENT, Retries, type RetryPolicy } from './retry.js'
import { isOfOneFile, type FailedSource, type KeyedSource, type Sender, type SendProgress, type SentFile } from './sender.js'
import { apiOf, type Member } from './session.js'
import type { Source } from './source.js'
import { sendLarge } from './upload.js'

export type { FailedSource, SendProgress, SentFile } from './sender.js'

/** What has become of a source. */
export type SendOutcome = SentFile | FailedSource

/** What {@link sendFiles} takes. */
export interface SendOptions extends Options {
  /** What makes an interrupted process's work resumable. Without it nothing is kept, and no time spent on digests. */
  readonly journal?: SendJournal | undefined
  /** Hands large sources to the one receiver past the server, too; needs a journal. */
  readonly direct?: DirectSending | undefined
  /** Called when bytes of a source have arrived at the server. */
  readonly onProgress?: ((progress: SendProgress) => void) | undefined
  /** How often each file may be downloaded. */
  readonly maxDownloads?: number | undefined
  readonly retry?: RetryPolicy | undefined
}

/** Sources that go in one request, or one that goes by itself. */
type Job = { readonly large: KeyedSource } | { readonly packed: readonly Packed[], readonly settled: readonly SendOutcome[] }

/**
 * Sends sources, and says of each what has become of it, not always in their order. Broken connections and restarts of the server
 * are gone through; with a journal also those of this process: then call it with the same sources again.
 *
 * One source that fails does not keep others from being sent: SOURCE_CHANGED, SOURCE_FAILED, FILE_TOO_LARGE, FILE_TYPE_NOT_ALLOWED,
 * FILE_NOT_FOUND (somebody deleted it) are told as its outcome.
 *
 * @throws ClientError for what concerns all of them: NETWORK when the server was away for too long, UNAUTHORIZED,
 *   SESSION_SIZE_EXCEEDED, TOO_MANY_FILES, STORAGE_FULL…; the signal's reason
 */
export async function * sendFiles (connection: Connection, member: Member, sources: AsyncIterable<Source> | Iterable<Source>, options: SendOptions = {}): AsyncGenerator<SendOutcome, void, undefined> {
  const sender = senderOf(connection, member, options)
  for await (const job of ahead((signal) => jobsOf(sender, sources, signal), sender.signal)) {
    if ('large' in job) {
      yield await sendOrFail(sender, job.large)
      continue
    }
    const outcomes = [...job.settled, ...await deliver(sender, job.packed)]
    for (const outcome of outcomes) {
      if ('fileId' in outcome) sender.onProgress({ source: outcome.source, sent: outcome.size })
      yield outcome
    }
  }
}

function senderOf (connection: Connection, member: Member, { journal, direct, onProgress = () => undefined, maxDownloads, retry = PATIENT, signal = new AbortController().signal }: SendOptions): Sender {
  return { connection, member, api: apiOf(connection, member), journal, direct, onProgress, maxDownloads, signal, retries: () => new Retries(retry, signal) }
}

async function sendOrFail (sender: Sender, large: KeyedSource): Promise<SendOutcome> {
  try {
    return await sendLarge(sender, large)
  } catch (error) {
    if (isClientError(error) && isOfOneFile(error)) return { source: large.source, error }
    throw error
  }
}

async function * jobsOf (sender: Sender, sources: AsyncIterable<Source> | Iterable<Source>, signal: AbortSignal): AsyncGenerator<Job, void, undefined> {
  const gathering = new Gathering()
  const earlier = new Earlier(sender)
  const batch = async (): Promise<Job> => {
    const { waiting, sent } = await earlier.divide(gathering.take())
    const all = await pack(sender, waiting, signal)
    return { packed: all.flatMap((one) => 'content' in one ? [one] : []), settled: [...sent, ...all.flatMap((one) => 'error' in one ? [one] : [])] }
  }
  for await (const keyed of withKeys(sources)) {
    if (!isSmall(keyed.source)) yield { large: keyed }
    else if (gathering.add(keyed)) yield await batch()
  }
  yield await batch()
}

/** Each source with a key that no other one has. */
async function * withKeys (sources: AsyncIterable<Source> | Iterable<Source>): AsyncGenerator<KeyedSource, void, undefined> {
  const seen = new Map<string, number>()
  for await (const source of sources) {
    const wanted = source.key ?? source.name
    const before = seen.get(wanted) ?? 0
    seen.set(wanted, before + 1)
    yield { source, key: before === 0 ? wanted : `${wanted}\0${before}` }
  }
}

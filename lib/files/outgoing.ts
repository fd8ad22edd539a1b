import type { Readable } from 'node:stream'
import type { Sessions } from '../sessions/sessions.js'
import type { SessionRecord } from '../sessions/session.js'
import type { Participant } from './files.js'
import type { Lane, MemoryBudget } from './memory-budget.js'
import { PacedReadable } from './paced-readable.js'
import { begun } from './streams.js'

export interface OutgoingDependencies {
  readonly sessions: Sessions
  readonly budget: MemoryBudget
  /** Told of failures that no caller waits for. */
  readonly onError: (error: unknown) => void
}

/** What a transfer sends. */
export interface Content {
  /** Bytes; `null` while nobody knows. */
  readonly length: number | null
  /** A piece is valid until the next one is asked for. */
  readonly pieces: AsyncGenerator<Uint8Array, void>
}

/** What a transfer has taken before a place in the memory budget is waited for. */
export interface Reserved {
  /** Called if the transfer does not come to its end. */
  readonly giveBack: () => Promise<void>
  readonly open: (lane: Lane, signal: AbortSignal) => Content | Promise<Content>
}

export interface Outgoing {
  readonly length: number | null
  /** To be read to its end or destroyed. */
  readonly stream: Readable
}

/**
 * Begins to send: a transfer of its own, with a lane of its own, that holds what it has reserved until its stream has closed. The first
 * piece is there when this returns; a later failure destroys the stream.
 *
 * @param client - fires when the client has gone
 * @param reserve - is given the session as it is now
 * @throws LocalSendError SESSION_CLOSED, SERVER_BUSY, SERVER_STOPPING, and whatever `reserve` and the content throw
 */
export async function sendOut ({ sessions, budget, onError }: OutgoingDependencies, { session, id }: Participant, client: AbortSignal, reserve: (session: SessionRecord) => Promise<Reserved>): Promise<Outgoing> {
  const transfer = sessions.transfers.begin('download', session.id, id, client)
  let lane: Lane | undefined
  let reserved: Reserved | undefined
  let content: Content | undefined
  let complete = false
  const release = async (failure?: unknown): Promise<void> => {
    await content?.pieces.return()
    lane?.close()
    try {
      if (!complete) await reserved?.giveBack()
    } finally {
      transfer.end(complete ? undefined : transfer.signal.aborted ? transfer.signal.reason : failure)
    }
  }
  try {
    reserved = await reserve(await sessions.stillIn(session.id, id))
    lane = await budget.admit(transfer)
    transfer.signal.throwIfAborted()
    content = await reserved.open(lane, transfer.signal)
    const source = await begun(content.pieces)
    transfer.signal.throwIfAborted()
    const stream = new PacedReadable(source, content.length, transfer)
    stream.once('end', () => { complete = true })
    stream.once('close', () => { release(stream.errored).catch(onError) })
    return { length: content.length, stream }
  } catch (error) {
    await release(error)
    throw transfer.signal.aborted ? transfer.signal.reason : error
  }
}

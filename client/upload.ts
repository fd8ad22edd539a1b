/**
 * The upload of one large source: by tus, in pieces, over broken connections and restarts of either side (protocol
 * local-send/1, section 5). Two pieces are in memory: one is being sent, and the next one read and sealed.
 */

import type { FileId } from '../lib/ids.js'
import { ahead } from './ahead.js'
import { beginUpload, forgetUpload, resumeUpload, streamSentEarlier, type Begun } from './begin-upload.js'
import { ClientError, isClientError } from './errors.js'
import { Pace } from './pace.js'
import type { Piece } from './pieces.js'
import type { Retries } from './retry.js'
import { isOfOneFile, type KeyedSource, type Sender, type SentFile } from './sender.js'

/** How often an upload is begun again because its source has changed, or the server has lost what cannot be sent again. */
const MAX_RESTARTS = 3
/** How often a server may have less than it said before. */
const MAX_REWINDS = 10

/** The server has less than it said before, and what it lacks is not in memory any more. */
class Rewound extends ClientError {
  readonly offset: number

  constructor (offset: number) {
    super('BAD_ANSWER', { detail: 'The server has lost a part of what it had.' })
    this.offset = offset
  }
}

/**
 * Sends one source.
 *
 * @throws ClientError SOURCE_CHANGED if it changes again and again; SOURCE_FAILED; NETWORK; what the server answers
 */
export async function sendLarge (sender: Sender, keyed: KeyedSource): Promise<SentFile> {
  let { source } = keyed
  const earlier = source.size === null ? await streamSentEarlier(sender, keyed) : undefined
  if (earlier !== undefined) return earlier
  let begun = await resumeUpload(sender, keyed)
  for (let restarts = 0; ; restarts++) {
    begun ??= await beginUpload(sender, { ...keyed, source })
    try {
      const size = await transfer(sender, { ...keyed, source }, begun)
      await sender.journal?.done([keyed.key])
      return { source, fileId: begun.fileId, size, resumed: begun.resumed }
    } catch (error) {
      const restartable = isClientError(error, 'SOURCE_CHANGED') || error instanceof Rewound
      if (restartable || isOfOneFile(error)) await forgetUpload(sender, begun.fileId)
      if (!restartable || source.size === null || restarts === MAX_RESTARTS) throw error
      source = await source.renew?.() ?? source
      begun = undefined
    }
  }
}

/** Sends what the server has not, unless the receiver takes it from here. @returns bytes of the source */
async function transfer (sender: Sender, { source }: KeyedSource, { fileId, content, offset }: Begun): Promise<number> {
  const { signal } = sender
  const onSent = (sent: number): void => { sender.onProgress({ source, sent }) }
  const handingOut = content.repeatable && offset !== content.length ? sender.direct?.begin(fileId, content) : undefined
  const pace = new Pace(content.length)
  const retries = sender.retries()
  const onDirect = (sent: number): void => {
    retries.progress()
    onSent(sent)
  }
  let from = offset
  let rewinds = 0
  try {
    while (from !== content.length) {
      if (await handingOut?.handOut(onDirect, signal) === true) {
        if (source.size !== null) onSent(source.size)
        break
      }
      try {
        const at = from
        for await (const piece of ahead((ending) => content.pieces(at, (offset) => pace.sizeAt(offset), ending), signal)) {
          if (!await sendUnlessAsked(sender, fileId, { piece, from, pace, retries, whole: content.length, asked: handingOut?.whenAsked() })) break
          onSent(piece.sent)
          if (piece.last) return piece.sent
          from = piece.offset + piece.bytes.length
        }
      } catch (error) {
        if (!(error instanceof Rewound) || !content.repeatable || rewinds === MAX_REWINDS) throw error
        rewinds += 1
        from = error.offset
      }
    }
    return source.size ?? 0
  } finally {
    handingOut?.end()
  }
}

interface Sending {
  readonly piece: Piece
  /** What of the piece lies before this offset, the server has. */
  readonly from: number
  readonly pace: Pace
  readonly retries: Retries
  /** Bytes of the whole upload; `null`: told with the last piece. */
  readonly whole: number | null
}

/**
 * Sends a piece, and leaves off when the receiver asks this side for the file.
 * @returns whether all of it was sent
 */
async function sendUnlessAsked (sender: Sender, fileId: FileId, { asked, ...sending }: Sending & { readonly asked: AbortSignal | undefined }): Promise<boolean> {
  const { signal } = sender
  try {
    await sendPiece({ ...sender, signal: asked === undefined ? signal : AbortSignal.any([signal, asked]) }, fileId, sending)
    return true
  } catch (error) {
    signal.throwIfAborted()
    if (asked?.aborted === true) return false
    throw error
  }
}

/** Sends a piece, as often as the connection breaks from where the server then stands. */
async function sendPiece ({ api, signal }: Sender, fileId: FileId, { piece: { offset, bytes, last }, from, pace, retries, whole }: Sending): Promise<void> {
  const end = offset + bytes.length
  const length = last && whole === null ? end : undefined
  let at = Math.max(from, offset)
  let sure = true
  for (;;) {
    try {
      if (!sure) {
        const state = await api.uploadState(fileId, { signal })
        if (state.offset > at) retries.progress()
        at = within(state.offset, offset, end)
        sure = true
        if (at === end && (!last || state.length === end)) return
      }
      const begun = Date.now()
      const reached = await api.sendPiece(fileId, at, bytes.subarray(at - offset), { length, signal })
      if (reached === end) {
        pace.sent(end - at, Date.now() - begun)
        retries.progress()
        return
      }
      throw new ClientError('UPLOAD_OFFSET_MISMATCH')
    } catch (error) {
      if (error instanceof Rewound) throw error
      signal.throwIfAborted()
      await retries.after(error, signal)
      sure = false
    }
  }
}

function within (offset: number, start: number, end: number): number {
  if (offset < start) throw new Rewound(offset)
  if (offset > end) throw new ClientError('BAD_ANSWER', { detail: 'The server has more than was sent.' })
  return offset
}

/**
 * Hundreds of small files in one request, all or nothing. Where that breaks, the list of files says what has become of it, and
 * what is not there is sent again as the very same bytes.
 */

import { toHex } from '../lib/crypto/bytes.js'
import type { FileId } from '../lib/ids.js'
import type { ListedFile } from './answers.js'
import { ClientError, isClientError } from './errors.js'
import { allFiles } from './list.js'
import { MultipartBody } from './multipart.js'
import type { Packed } from './pack.js'
import type { Retries } from './retry.js'
import { isOfOneFile, limitFields, type FailedSource, type Sender, type SentFile } from './sender.js'

/** Sends a batch. Its failures are those of single files; anything else is thrown. */
export async function deliver (sender: Sender, batch: readonly Packed[]): Promise<ReadonlyArray<SentFile | FailedSource>> {
  const { journal, member } = sender
  if (batch.length === 0) return []
  const recordOf = ({ source: { size, modified } }: Packed, fileId: FileId) => ({ fileId, size, modified: modified.toISOString() })
  const begun = batch.flatMap((packed) => packed.sealed === undefined ? [] : [{ key: packed.key, record: recordOf(packed, packed.sealed.fileId) }])
  await journal?.begin(begun)
  const delivered = await deliverSome(sender, batch, sender.retries())
  const sent = delivered.flatMap((one) => 'fileId' in one ? [one] : [])
  if (member.contentKey === undefined) await journal?.begin(sent.map(({ packed, fileId }) => ({ key: packed.key, record: recordOf(packed, fileId) })))
  await journal?.done(sent.map(({ packed }) => packed.key))
  return delivered.map((one) => 'error' in one
    ? { source: one.packed.source, error: one.error }
    : { source: one.packed.source, fileId: one.fileId, size: one.packed.source.size ?? 0, resumed: false })
}

type Delivered = { readonly packed: Packed, readonly fileId: FileId } | { readonly packed: Packed, readonly error: ClientError }

async function deliverSome (sender: Sender, batch: readonly Packed[], retries: Retries): Promise<readonly Delivered[]> {
  const arrived: Delivered[] = []
  let missing = batch
  while (missing.length > 0) {
    try {
      return [...arrived, ...await post(sender, missing)]
    } catch (error) {
      if (isClientError(error) && isOfOneFile(error)) return [...arrived, ...await divide(sender, missing, error, retries)]
      const there = await whatArrived(sender, missing, error, retries)
      arrived.push(...there)
      missing = missing.filter((packed) => !there.some((one) => one.packed === packed))
    }
  }
  return arrived
}

/** The failure of one file is that of its request: the others go without it. */
async function divide (sender: Sender, batch: readonly Packed[], error: ClientError, retries: Retries): Promise<readonly Delivered[]> {
  const [first] = batch
  if (batch.length === 1 && first !== undefined) return [{ packed: first, error }]
  const half = Math.ceil(batch.length / 2)
  return [...await deliverSome(sender, batch.slice(0, half), retries), ...await deliverSome(sender, batch.slice(half), retries)]
}

async function post (sender: Sender, batch: readonly Packed[]): Promise<readonly Delivered[]> {
  const form = new MultipartBody()
  for (const { source, sealed, content } of batch) {
    const fields = { ...(sealed !== undefined && { file_id: sealed.fileId, metadata: sealed.metadata }), ...limitFields(sender) }
    for (const [name, value] of Object.entries(fields)) form.field(name, value)
    form.file(sealed === undefined ? source.name : 'file', sealed === undefined ? source.type : '', content)
  }
  const files = await sender.api.upload(form, { signal: sender.signal })
  return batch.map((packed, i) => {
    const fileId = files[i]?.fileId
    if (fileId === undefined || (packed.sealed !== undefined && packed.sealed.fileId !== fileId)) throw new ClientError('BAD_ANSWER', { detail: `What is wrong: upload.files[${i}].` })
    return { packed, fileId }
  })
}

/** What of a request of which the outcome is not known has been stored after all. @throws the failure, if it will not pass */
async function whatArrived (sender: Sender, batch: readonly Packed[], error: unknown, retries: Retries): Promise<readonly Delivered[]> {
  const exists = isClientError(error, 'FILE_EXISTS')
  if (!exists) await retries.after(error)
  const stored: ListedFile[] = []
  for await (const file of allFiles(sender.api, sender.signal)) {
    if (file.state === 'ready' && file.uploadedBy === sender.member.role) stored.push(file)
  }
  const there = sender.member.contentKey === undefined ? await matchContent(batch, stored) : matchIds(batch, stored)
  // An id that nobody else draws, and yet nothing is there: trying again changes nothing.
  if (exists && there.length === 0) throw error
  return there
}

function matchIds (batch: readonly Packed[], stored: readonly ListedFile[]): readonly Delivered[] {
  const ids = new Set(stored.map(({ fileId }) => fileId))
  return batch.flatMap((packed) => packed.sealed !== undefined && ids.has(packed.sealed.fileId) ? [{ packed, fileId: packed.sealed.fileId }] : [])
}

/** In a managed session the server draws the ids: there it is the content that tells. */
async function matchContent (batch: readonly Packed[], stored: readonly ListedFile[]): Promise<readonly Delivered[]> {
  const byDigest = new Map<string, FileId[]>()
  for (const { sha256 = '', fileId } of stored) byDigest.set(sha256, [...byDigest.get(sha256) ?? [], fileId])
  const found: Delivered[] = []
  for (const packed of batch) {
    const sha256 = toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', packed.content)))
    const fileId = byDigest.get(sha256)?.pop()
    if (fileId !== undefined) found.push({ packed, fileId })
  }
  return found
}

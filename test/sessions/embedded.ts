/** What the tests of the embedded store and of its database share. */

import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { EmbeddedStore } from '../../lib/sessions/embedded-store.js'
import type { SessionRecord } from '../../lib/sessions/session.js'
import { temporaryFolder } from '../helpers/server.js'
import { newRecord } from './records.js'

interface Options {
  readonly secret?: Uint8Array<ArrayBuffer> | undefined
  readonly errors?: unknown[]
}

/** A store that is closed when the test ends. */
export async function openStore (t: Test, folder: string, { secret, errors = [] }: Options): Promise<EmbeddedStore> {
  const store = await EmbeddedStore.open({ folder, secret, onError: (error) => { errors.push(error) } })
  t.teardown(() => store.close())
  return store
}

/** What another process would find if this one ended now: nothing is closed or flushed for it. */
export async function afterCrash (t: Test, folder: string, options: Options): Promise<EmbeddedStore> {
  const copy = join(await temporaryFolder(t), 'copy')
  await cp(folder, copy, { recursive: true })
  return await openStore(t, copy, options)
}

export const wrongCode = (record: SessionRecord): { record: SessionRecord, outcome: true } =>
  ({ record: { ...record, wrongCodes: record.wrongCodes + 1 }, outcome: true })

export const endToEnd = (): SessionRecord => newRecord({ kind: 'end-to-end' })

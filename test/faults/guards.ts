/** For each fault what guards against its harm, and the test that fails without it. */

import type { Edit } from '../helpers/edits.js'

export interface Guard {
  readonly fault: string
  /** What is taken out. */
  readonly guard: string
  readonly edits: readonly Edit[]
  /** The test that fails then. */
  readonly test: string
}

const MEMORY_SLOTS: readonly Edit[] = [{ file: 'lib/files/memory-budget.ts', find: '    this.#closed = true\n    this.#shrink()', replace: '    this.#closed = true' }]

const NOT_WRITTEN: Edit = { file: 'lib/sessions/embedded-store.ts', find: '    await this.#save(written)\n    return { outcome }', replace: '    return { outcome }' }

export const GUARDS: readonly Guard[] = [
  {
    fault: 'the server is killed',
    guard: 'a record is written before the answer',
    edits: [NOT_WRITTEN],
    test: 'test/faults/moments.test.ts'
  },
  {
    fault: 'the disk is full',
    guard: 'free space is asked for, and what a full disk says is told from other errors',
    edits: [
      { file: 'lib/files/storage-quota.ts', find: 'if (await this.#freeSpace() - bytes < this.#limits.minFreeSpace) throw storageFull()', replace: '' },
      { file: 'lib/files/disk-store.ts', find: "isErrno(error, 'ENOSPC', 'EDQUOT')", replace: 'isErrno(error)' }
    ],
    test: 'test/faults/disk.test.ts'
  },
  {
    fault: 'the disk may not be written to, or is gone',
    guard: 'what a disk says that is out of order is told from other errors',
    edits: [{ file: 'lib/files/disk-store.ts', find: 'isErrno(error, ...OUT_OF_ORDER)', replace: 'isErrno(error)' }],
    test: 'test/faults/disk.test.ts'
  },
  {
    fault: 'chunks of a stored file are swapped',
    guard: 'a chunk is sealed for its place',
    edits: [{ file: 'lib/crypto/container-header.ts', find: 'concat(prefix, u32(index),', replace: 'concat(prefix, u32(index * 0),' }],
    test: 'test/http/download.test.ts'
  },
  {
    fault: 'a stored file is cut short or lengthened',
    guard: 'the size of a blob is that of its record',
    edits: [{ file: 'lib/files/open-download.ts', find: "if (size !== null && plaintextSize(blob.size) !== size) throw new LocalSendError('CONTAINER_DAMAGED')", replace: '' }],
    test: 'test/http/download.test.ts'
  },
  {
    fault: 'the clock jumps back and ahead',
    guard: 'the time of the last use goes ahead only',
    edits: [
      { file: 'lib/sessions/memory-store.ts', find: 'record !== undefined && record.lastUsedAt < at', replace: 'record !== undefined' },
      { file: 'lib/sessions/sessions.ts', find: 'now - session.lastUsedAt >= TOUCH_INTERVAL', replace: 'now !== session.lastUsedAt' }
    ],
    test: 'test/faults/clock.test.ts'
  },
  {
    fault: 'clients go away in the middle',
    guard: 'a transfer that ends gives its memory slots back',
    edits: MEMORY_SLOTS,
    test: 'test/faults/aborted.test.ts'
  },
  {
    fault: 'a promise is rejected that nobody waits for',
    guard: 'the server stops at an error that nobody handled',
    edits: [{ file: 'server.ts', find: "    if (err !== undefined) app.log.error({ err }, 'stopping after an error that nobody handled')\n    else app", replace: '    app' }],
    test: 'test/faults/unhandled.test.ts'
  },
  {
    fault: 'requests as large as they may be',
    guard: 'a record is not copied before it is written',
    edits: [{ file: 'lib/sessions/sealed-record.ts', find: 'if (member !== value[name]) plain =', replace: 'plain =' }],
    test: 'test/faults/event-loop.soak.ts'
  },
  {
    fault: 'three instances under a mixed load, with faults',
    guard: 'a record in Redis is written only where nobody has changed it since',
    edits: [{ file: 'lib/sessions/redis-record-scripts.ts', find: "if version ~= ARGV[1] then return {'other', version .. past} end\nredis", replace: 'redis' }],
    test: 'test/chaos/chaos.test.ts'
  },
  {
    fault: 'an instance freezes over an upload',
    guard: 'whoever has lost the turn changes nothing of an upload',
    edits: [
      { file: 'lib/sessions/session-files.ts', find: "if (current.turn !== turn) return { record, outcome: 'superseded' }", replace: '' },
      { file: 'lib/sessions/session-files.ts', find: "if (upload.turn !== changer.turn) return { record, outcome: 'superseded' }", replace: '' }
    ],
    test: 'test/process/instances.test.ts'
  },
  {
    fault: 'Redis goes away',
    guard: 'a failure of Redis is told in the terms of the catalogue',
    edits: [{ file: 'lib/redis/redis-connection.ts', find: "  return new LocalSendError('STORE_UNAVAILABLE', { retryAfter: RETRY_AFTER, cause: error })\n}", replace: '  return error\n}' }],
    test: 'test/process/instances.test.ts'
  },
  {
    fault: 'a node of a Redis cluster is lost',
    guard: 'who listens goes over to another node',
    edits: [{ file: 'lib/redis/redis-connection.ts', find: 'if (host !== undefined && port !== undefined) Object.assign', replace: "if (host === '') Object.assign" }],
    test: 'test/redis/failover.test.ts'
  },
  {
    fault: 'rolling restarts',
    guard: 'records are written before the answer, and at the stop',
    edits: [
      NOT_WRITTEN,
      { file: 'lib/sessions/embedded-store.ts', find: '    await Promise.all([...this.#records.values()].map((written) => this.#save(written).catch(this.#onError)))\n', replace: '' }
    ],
    test: 'test/process/rolling-restart.test.ts'
  },
  {
    fault: 'a sender is killed, and his source changes',
    guard: 'a source is gone on with only where it is the same one',
    edits: [
      { file: 'client/begin-upload.ts', find: ' && modified === source.modified.toISOString()', replace: '' },
      { file: 'client/pieces.ts', find: 'if (chunk.index < this.#noted) await this.#compare(chunk)', replace: '' }
    ],
    test: 'test/cli/interrupted.soak.ts'
  },
  {
    fault: '500 clients, some of whom behave badly',
    guard: 'a transfer that ends gives its memory slots back',
    edits: MEMORY_SLOTS,
    test: 'test/faults/load.test.ts'
  }
]

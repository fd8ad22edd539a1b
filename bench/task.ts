import type { TestFile } from './test-file.js'

/** What a benchmark is given. */
export interface Task {
  /** A folder for its files, which is removed at the end whatever happens. */
  readonly folder: string
  /** A file of that many bytes; made when it is first asked for. */
  readonly testFile: (size: number) => Promise<TestFile>
  /** Bytes of the file to move. */
  readonly size: number
  readonly runs: number
}

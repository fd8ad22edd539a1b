import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { startLocalSend } from './local-send.js'
import { extent, formatSize, median, type Mark, type Report } from './table.js'
import type { TestFile } from './test-file.js'
import type { Task } from './task.js'

const MB = 1e6
/** Bytes that a server may hold at most, however large the file is. */
const MOST = 160 * MB
/** The larger file is this many times the size. */
const FACTOR = 4
/** Two runs with the same file differ by this much: no more counts as no more. */
const NOISE = 1.05

/** The largest resident set of a fresh server that takes a file and gives it back, for two sizes. */
export async function benchMemory ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const subjects = [
    { file: await testFile(size), peaks: new Array<number>() },
    { file: await testFile(FACTOR * size), peaks: new Array<number>() }
  ] as const
  for (let run = 1; run <= runs; run++) {
    for (const { file, peaks } of subjects) {
      process.stderr.write(`memory: run ${run} of ${runs}, ${formatSize(file.size)}\n`)
      peaks.push(await peakOf(file, join(folder, `memory-${run}-${file.size}`)))
    }
  }
  const [{ peaks: usual }, { peaks: larger }] = subjects
  const growth = median(larger) / median(usual)
  const marks: Mark[] = [
    ...subjects.map(({ file, peaks }): Mark => {
      const most = Math.max(...peaks)
      return { what: `Peak MB for ${formatSize(file.size)}, the worst run`, value: most / MB, limit: `≤ ${MOST / MB}`, met: most <= MOST }
    }),
    { what: `Peak for ${FACTOR} times the size, as a multiple of the other`, value: growth, limit: `≤ ${NOISE}`, met: growth <= NOISE }
  ]
  return {
    title: `Memory, fresh servers for each size: ${runs}`,
    columns: ['one upload and one download of', 'peak MB, median', 'min–max'],
    rows: subjects.map(({ file, peaks }) => [formatSize(file.size), (median(peaks) / MB).toFixed(0), extent(peaks, MB)]),
    notes: [],
    marks,
    figures: { subjects: subjects.map(({ file, peaks }) => ({ size: file.size, peaks })), growth, marks }
  }
}

async function peakOf (file: TestFile, workingFolder: string): Promise<number> {
  await mkdir(workingFolder)
  const service = await startLocalSend(workingFolder)
  const { fileId } = await service.upload(file)
  await service.download(fileId)
  const peak = service.server.peakMemory()
  await service.server.stop()
  return peak
}

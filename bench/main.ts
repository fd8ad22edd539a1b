/**
 * `npm run bench -- [upload] [raw] [tus] [download] [range] [memory] [e2e] [web] [proxy] [scale]`: measures Local Send beside what one would write, or run,
 * without it. Linux only, since CPU time and memory come out of /proc. The tables go to the standard output, the progress to the
 * standard error.
 */

import { statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { parseSize, parseWholeNumber } from '../lib/config-values.js'
import { temporaryFolder } from './cleanup.js'
import { benchDownload } from './download.js'
import { describeMachine, thisMachine } from './machine.js'
import { benchEndToEnd } from './end-to-end.js'
import { benchMemory } from './memory.js'
import { NGINX } from './nginx.js'
import { benchProxy } from './proxy.js'
import { benchRange } from './range.js'
import { benchRaw } from './raw.js'
import { benchScale } from './scale.js'
import { formatSize, toMarkdown, type Report } from './table.js'
import type { Task } from './task.js'
import { createTestFile, type TestFile } from './test-file.js'
import { benchTus } from './tus.js'
import { benchUpload } from './upload.js'
import { benchWeb } from './web.js'

const BENCHES = new Map<string, (task: Task) => Promise<Report | readonly Report[]>>([
  ['upload', benchUpload],
  ['raw', benchRaw],
  ['tus', benchTus],
  ['download', benchDownload],
  ['range', benchRange],
  ['memory', benchMemory],
  ['e2e', benchEndToEnd],
  ['web', benchWeb],
  ['proxy', benchProxy],
  ['scale', benchScale]
])

/** Room that a benchmark takes at most, as multiples of the size: all test files, and what a server stores of them. */
const ROOM = 10

const USAGE = `Usage: npm run bench -- [${[...BENCHES.keys()].join('] [')}] [options]

Runs the benchmarks named, all of them unless any is.

  --size SIZE   size of the file (1GiB); the memory benchmark moves one of four times that, too
  --runs N      measured runs of each contender (5), after one to warm up
  --json FILE   writes all figures there
  --help        shows this text

The files lie in a folder in TMPDIR, which is removed at the end. The raw benchmark measures nginx, too, where ${NGINX} is there, and e2e magic-wormhole;
web needs Chromium, proxy nginx, openssl, curl and h2load, scale Redis.
`

interface Options {
  readonly names: readonly string[]
  readonly size: number
  readonly runs: number
  readonly json: string | undefined
}

try {
  const options = readOptions()
  if (options === undefined) process.stdout.write(USAGE)
  else await run(options)
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  // Not by its end alone: servers may still be running, and what is registered for the exit ends them.
  process.exit(1)
}

function readOptions (): Options | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      size: { type: 'string', default: '1GiB' },
      runs: { type: 'string', default: '5' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false }
    }
  })
  if (values.help) return undefined
  const unknown = positionals.find((name) => !BENCHES.has(name))
  if (unknown !== undefined) throw new TypeError(`There is no benchmark "${unknown}", only ${[...BENCHES.keys()].join(', ')}.`)
  return {
    names: positionals.length === 0 ? [...BENCHES.keys()] : positionals,
    size: parsed('--size', () => parseSize(values.size)),
    runs: parsed('--runs', () => parseWholeNumber(values.runs, 1)),
    json: values.json
  }
}

/** A value whose parser completes a sentence that begins with its name. */
function parsed <Value> (name: string, parse: () => Value): Value {
  try {
    return parse()
  } catch (cause) {
    throw cause instanceof TypeError ? new TypeError(`${name} ${cause.message}.`, { cause }) : cause
  }
}

async function run ({ names, size, runs, json }: Options): Promise<void> {
  if (process.platform !== 'linux') throw new Error('CPU time and memory of the servers are read from /proc, which only Linux has.')
  const machine = thisMachine()
  const folder = temporaryFolder()
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize < ROOM * size) throw new Error(`${folder} has less than ${formatSize(ROOM * size)} free; choose another place by TMPDIR.`)

  const testFiles = new Map<number, Promise<TestFile>>()
  const testFile = (bytes: number): Promise<TestFile> => {
    const file = testFiles.get(bytes) ?? createTestFile(join(folder, `${bytes}.bin`), bytes)
    testFiles.set(bytes, file)
    return file
  }

  process.stdout.write(`${describeMachine(machine)}\n\n`)
  const figures: Record<string, unknown> = {}
  for (const [name, bench] of BENCHES) {
    if (!names.includes(name)) continue
    const reports = [await bench({ folder, testFile, size, runs })].flat()
    for (const report of reports) process.stdout.write(`${toMarkdown(report)}\n`)
    figures[name] = reports.length === 1 ? reports[0]?.figures : reports.map((report) => report.figures)
  }
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ machine, size, runs, ...figures }, undefined, 2)}\n`)
}

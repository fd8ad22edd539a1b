import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { startFlags } from '../test/helpers/project.js'
import { bare } from './bare.js'
import { FreeMemory } from './free-memory.js'
import { startServer } from './process.js'
import type { Sending } from './sending.js'
import { extent, formatSize, median, type Mark, type Report } from './table.js'
import type { Task } from './task.js'
import { sha256Of } from './test-file.js'
import { watch } from './watched.js'
import { hasWormhole, WORMHOLE, wormhole } from './wormhole.js'

const MB = 1e6
const DIST = join(import.meta.dirname, '..', 'dist')

/** What one transfer took. */
interface Sample {
  readonly seconds: number
  /** Of both commands and the servers. */
  readonly cpuSeconds: number
  /** Bytes. */
  readonly senderMemory: number
  /** Bytes. */
  readonly receiverMemory: number
}

interface Measured {
  readonly sending: Sending
  readonly samples: readonly Sample[]
  /** The same for a file of one byte: what starting, meeting and ending takes. */
  readonly handshakes: readonly Sample[]
  /** Bytes. */
  readonly serverMemory: number
}

/** Our two commands and our server, beside magic-wormhole, from the start of the first command to the end of the last one. */
export async function benchEndToEnd ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const tiny = join(folder, 'tiny.bin')
  await writeFile(tiny, 'x')
  const withWormhole = await hasWormhole()
  const sendings = [await localSend(join(folder, 'e2e'), 'directly'), await localSend(join(folder, 'e2e-server'), 'by its server'), ...withWormhole ? [await wormhole(join(folder, 'wormhole'), 'directly'), await wormhole(join(folder, 'wormhole-relay'), 'by its relay')] : [], await bare(join(folder, 'bare'))]
  const measured = sendings.map((sending) => ({ sending, samples: new Array<Sample>(), handshakes: new Array<Sample>() }))
  const memory = await FreeMemory.open(folder)
  for (let run = 0; run <= runs; run++) {
    for (const { sending, samples, handshakes } of measured) {
      process.stderr.write(`e2e: ${run === 0 ? 'warming up' : `run ${run} of ${runs}`}, ${sending.name}\n`)
      const handshake = await measure(sending, tiny, join(folder, 'received.bin'))
      await memory.fill()
      const sample = await measure(sending, file.path, join(folder, 'received.bin'), run === 0 ? file.sha256 : undefined)
      if (run > 0) {
        samples.push(sample)
        handshakes.push(handshake)
      }
    }
  }
  await memory.close()
  const results = measured.map((result) => ({ ...result, serverMemory: Math.max(...result.sending.servers.map((server) => server.peakMemory())) }))
  for (const { servers } of sendings) for (const server of servers) await server.stop()
  return report(size, results, withWormhole)
}

async function measure ({ servers, transfer }: Sending, path: string, output: string, sha256?: string): Promise<Sample> {
  const cpuOfServers = (): number => servers.reduce((sum, server) => sum + server.cpuSeconds(), 0)
  const before = cpuOfServers()
  const began = performance.now()
  const { sender, receiver } = await transfer(path, output)
  const seconds = (performance.now() - began) / 1000
  const cpuSeconds = sender.cpuSeconds + receiver.cpuSeconds + cpuOfServers() - before
  if (sha256 !== undefined && await sha256Of(output) !== sha256) throw new Error('What was received is not what was sent.')
  await rm(output)
  return { seconds, cpuSeconds, senderMemory: sender.peakMemory, receiverMemory: receiver.peakMemory }
}

/** Our server and our two commands. The receiver is started as soon as the sender has said the code. */
export async function localSend (folder: string, way: 'directly' | 'by its server'): Promise<Sending> {
  await mkdir(folder)
  const server = await startServer({ name: 'Local Send', args: [...startFlags(), join(DIST, 'server.js')], cwd: folder, env: { HOST: '127.0.0.1', PORT: '0', UPLOAD_FOLDER: folder, MAX_FILE_SIZE: '1TiB', RATE_LIMIT_CREATE: '1000' } })
  const env = { LOCAL_SEND_SERVER: server.origin, XDG_STATE_HOME: join(folder, 'state'), HOME: folder, ...(way === 'by its server' && { LOCAL_SEND_NO_DIRECT: '1' }) }
  const command = (...args: string[]) => ({ command: process.execPath, args: [join(DIST, 'cli', 'main.js'), ...args], env })
  let transfers = 0
  return {
    name: way === 'directly' ? 'Local Send' : 'Local Send, by its server',
    servers: [server],
    async transfer (path, output) {
      const cwd = join(folder, `received-${++transfers}`)
      await mkdir(cwd)
      const sender = watch({ ...command('send', '--json', path), cwd: folder })
      const code = await Promise.race([codeOf(sender.stdout), sender.ended.then(() => { throw new Error('send ended before it said its code.') })])
      const receiver = watch({ ...command('receive', '--yes', '--json', code), cwd })
      receiver.stdout.resume()
      const [sent, received] = await Promise.all([sender.ended, receiver.ended])
      await rename(join(cwd, basename(path)), output)
      return { sender: sent, receiver: received }
    }
  }
}

/** The code out of what `send --json` says; the rest is read and dropped. */
async function codeOf (stdout: Readable): Promise<string> {
  return await new Promise((resolve) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const event: unknown = JSON.parse(line)
      if (typeof event === 'object' && event !== null && 'code' in event && 'event' in event && event.event === 'session') resolve(String(event.code))
    })
  })
}

const COLUMNS = ['contender', 'MB/s, median', 'min–max', 'MB/s without the handshake', 'handshake s', 'CPU s/GB', 'sender MB', 'receiver MB', 'server MB', 'speed ×', 'without handshake ×']

function report (size: number, results: readonly Measured[], withWormhole: boolean): Report {
  const [own, ...others] = results
  if (own === undefined) throw new RangeError('There is nothing to report.')
  const ratios = others.map((other) => ({ whole: ratio(own, other, wholeRate(size)), bare: ratio(own, other, bareRate(size)) }))
  const direct = ratios[others.findIndex(({ sending }) => sending.name === 'magic-wormhole')]
  const marks = direct === undefined
    ? []
    : [mark('From start to end, as a multiple of magic-wormhole', direct.whole.median), mark('The same without the time that a file of one byte takes', direct.bare.median)]
  return {
    title: `End to end, from command to command, ${formatSize(size)}, runs: ${own.samples.length}`,
    columns: COLUMNS,
    rows: results.map((result, i) => row(size, result, ratios[i - 1])),
    notes: [
      'From the start of the sending command to the end of both. Handshake: the same with a file of one byte. CPU and memory of the commands as seen every 20 ms, CPU of both and their servers together. Before each, the free memory was filled with what the system may forget. ×: Local Send divided by the other, the median of the rounds. The marks are those beside magic-wormhole. Both are as they are used: the receiver takes the file from the sender\'s machine, where he reaches it. By its server or relay is what they do otherwise; the server stores, the relay does not. The bytes alone: the shortest programs that do with them what Local Send does by its server, without a handshake and without anything to go on with (bench/bare.ts).',
      ...withWormhole ? [] : [`**Without magic-wormhole, which this machine does not have at ${WORMHOLE}.**`]
    ],
    marks,
    figures: { size, results: results.map(({ sending, ...rest }) => ({ name: sending.name, ...rest })), ratios, marks }
  }
}

type Rate = (result: Measured, round: number) => number

const wholeRate = (size: number): Rate => ({ samples }, round) => size / (samples[round]?.seconds ?? Number.NaN)
const bareRate = (size: number): Rate => ({ samples, handshakes }, round) => size / ((samples[round]?.seconds ?? Number.NaN) - (handshakes[round]?.seconds ?? Number.NaN))

interface Ratio {
  readonly median: number
  readonly all: readonly number[]
}

interface Ratios {
  readonly whole: Ratio
  readonly bare: Ratio
}

function ratio (own: Measured, other: Measured, rate: Rate): Ratio {
  const all = own.samples.map((_sample, round) => rate(own, round) / rate(other, round))
  return { median: median(all), all }
}

const mark = (what: string, value: number): Mark => ({ what, value, limit: '≥ 1.00 (aim 1.50)', met: value >= 1 })

function row (size: number, result: Measured, ratios: Ratios | undefined): string[] {
  const { sending, samples, handshakes, serverMemory } = result
  const rates = samples.map((_sample, round) => wholeRate(size)(result, round))
  const most = (figure: (sample: Sample) => number): string => (Math.max(...samples.map(figure)) / MB).toFixed(0)
  const show = ({ median, all }: Ratio): string => `${median.toFixed(2)} (${extent(all, 1, 2)})`
  return [
    sending.name,
    (median(rates) / MB).toFixed(0),
    extent(rates, MB),
    (median(samples.map((_sample, round) => bareRate(size)(result, round))) / MB).toFixed(0),
    median(handshakes.map(({ seconds }) => seconds)).toFixed(1),
    (median(samples.map(({ cpuSeconds }) => cpuSeconds)) / size * 1e9).toFixed(2),
    most(({ senderMemory }) => senderMemory),
    most(({ receiverMemory }) => receiverMemory),
    (serverMemory / MB).toFixed(0),
    ...ratios === undefined ? ['', ''] : [show(ratios.whole), show(ratios.bare)]
  ]
}

import { mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { launch, type Browser, type Page } from 'puppeteer-core'
import { atExit } from './cleanup.js'
import { localSend } from './end-to-end.js'
import { peakMemoryOf } from './process.js'
import type { Sending } from './sending.js'
import { extent, formatSize, median, type Report } from './table.js'
import type { Task } from './task.js'
import { sha256Of } from './test-file.js'

const MB = 1e6
const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
/** Milliseconds that a transfer may take. */
const PATIENCE = 1_800_000

interface Sample {
  readonly seconds: number
  /** Bytes, of the process that the page or the command runs in. */
  readonly senderMemory: number
  readonly receiverMemory: number
}

type Transfer = (path: string, output: string) => Promise<Sample>

/** From page to page in Chromium, beside the two commands: from the choice of the file until it is saved and its sender knows. */
export async function benchWeb ({ folder, testFile, size, runs }: Task): Promise<Report> {
  const file = await testFile(size)
  const commands = await localSend(join(folder, 'web'), 'by its server')
  const ways: ReadonlyArray<{ readonly name: string, readonly transfer: Transfer, readonly samples: Sample[] }> = [
    { name: 'page to page', transfer: betweenPages(commands, folder), samples: [] },
    { name: 'command to command', transfer: betweenCommands(commands), samples: [] }
  ]
  for (let run = 0; run <= runs; run++) {
    for (const { name, transfer, samples } of ways) {
      process.stderr.write(`web: ${run === 0 ? 'warming up' : `run ${run} of ${runs}`}, ${name}\n`)
      const output = join(folder, 'received.bin')
      const sample = await transfer(file.path, output)
      if (run === 0 && await sha256Of(output) !== file.sha256) throw new Error('What was received is not what was sent.')
      await rm(output)
      if (run > 0) samples.push(sample)
    }
  }
  for (const server of commands.servers) await server.stop()
  return {
    title: `From page to page in Chromium, ${formatSize(size)}, runs: ${runs}`,
    columns: ['way', 'MB/s, median', 'min–max', 'sender MB', 'receiver MB'],
    rows: ways.map(({ name, samples }) => {
      const rates = samples.map(({ seconds }) => size / seconds)
      const most = (figure: (sample: Sample) => number): string => (Math.max(...samples.map(figure)) / MB).toFixed(0)
      return [name, (median(rates) / MB).toFixed(0), extent(rates, MB), most(({ senderMemory }) => senderMemory), most(({ receiverMemory }) => receiverMemory)]
    }),
    notes: ['From the choice of the file, or the start of the sending command, until it is saved and its sender knows; the copy into the folder for downloads is part of it. Memory: the largest resident set of a page\'s own process, or a command\'s.'],
    marks: [],
    figures: { size, ways: ways.map(({ name, samples }) => ({ name, samples })) }
  }
}

const betweenCommands = ({ transfer }: Sending): Transfer => async (path, output) => {
  const began = performance.now()
  const { sender, receiver } = await transfer(path, output)
  return { seconds: (performance.now() - began) / 1000, senderMemory: sender.peakMemory, receiverMemory: receiver.peakMemory }
}

/** Each page in a browser of its own, so that no process's peak is another page's, or another transfer's. */
const betweenPages = ({ servers: [server] }: Sending, folder: string): Transfer => async (path, output) => {
  if (server === undefined) throw new RangeError('There is no server.')
  const downloads = await mkdtemp(join(folder, 'downloads-'))
  const people: Person[] = []
  try {
    const alice = await open(server.origin, folder, downloads)
    people.push(alice)
    // Started before the clock is: only its page is opened while it runs.
    const bob = await open('about:blank', folder, downloads)
    people.push(bob)
    const began = performance.now()
    const picker = await alice.page.waitForSelector<'input'>('input[data-pick="files"]' as 'input')
    await picker?.uploadFile(path)
    await alice.page.waitForSelector('[data-code]')
    await bob.page.goto(`${server.origin}/#${String(await alice.page.evaluate('document.querySelector("[data-code]").dataset.code'))}`)
    await (await bob.page.waitForSelector('::-p-aria([name="Save"][role="button"])'))?.click()
    await bob.page.waitForSelector('.badge.good')
    await alice.page.waitForSelector('.badge.good')
    const saved = await savedIn(downloads)
    const seconds = (performance.now() - began) / 1000
    const [senderMemory, receiverMemory] = [await pageMemory(alice.browser), await pageMemory(bob.browser)]
    await rename(saved, output)
    return { seconds, senderMemory, receiverMemory }
  } finally {
    for (const { close } of people) await close()
    await rm(downloads, { recursive: true, force: true })
  }
}

interface Person {
  readonly browser: Browser
  readonly page: Page
  readonly close: () => Promise<void>
}

/** Chromium with one page, and where its downloads go. */
async function open (address: string, folder: string, downloadPath: string): Promise<Person> {
  const profile = await mkdtemp(join(folder, 'profile-'))
  const browser = await launch({ executablePath: CHROMIUM, userDataDir: profile, headless: true, protocolTimeout: PATIENCE, downloadBehavior: { policy: 'allow', downloadPath }, args: ['--no-sandbox', '--disable-gpu'] })
  atExit(() => { browser.process()?.kill('SIGKILL') })
  const page = await browser.newPage()
  page.setDefaultTimeout(PATIENCE)
  await page.goto(address)
  const close = async (): Promise<void> => {
    await browser.close()
    await rm(profile, { recursive: true, force: true, maxRetries: 5 })
  }
  return { browser, page, close }
}

/** The peak of the process that the only page runs in: beside it there are empty ones, and those of the browser's own pages, which are smaller. */
async function pageMemory (browser: Browser): Promise<number> {
  const devtools = await browser.target().createCDPSession()
  const { processInfo } = await devtools.send('SystemInfo.getProcessInfo')
  await devtools.detach()
  return Math.max(...processInfo.map(({ type, id }) => type === 'renderer' ? peakOrNothing(id) : 0))
}

function peakOrNothing (pid: number): number {
  try {
    return peakMemoryOf(pid)
  } catch {
    // One that has ended in the meantime was none of the page's.
    return 0
  }
}

/** The one download, when the browser has the whole of it. */
async function savedIn (folder: string): Promise<string> {
  for (;;) {
    const [name, ...others] = await readdir(folder)
    if (name !== undefined && others.length === 0 && !name.endsWith('.crdownload')) return join(folder, name)
    await delay(20)
  }
}

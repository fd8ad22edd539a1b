import { PassThrough } from 'node:stream'
import t from 'tap'
import { cleanLine, cleanText } from '../../cli/terminal/clean-text.js'
import { count, fitColumns, formatDuration, formatSize } from '../../cli/terminal/format.js'
import { progressText, ProgressLine } from '../../cli/terminal/progress.js'
import { Speed } from '../../client/speed.js'
import { eventually } from '../helpers/events.js'
import { Terminal } from '../../cli/terminal/terminal.js'

t.test('nothing that a terminal obeys is left of a text', (t) => {
  const cases: Array<[given: string, clean: string]> = [
    ['plain\ttext\nand a line', 'plain\ttext\nand a line'],
    ['\x1b[31mred\x1b[0m', 'red'],
    ['\x1b]0;title\x07x\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\', 'xlink'],
    ['\x1b[2J\x1b[H\x1b[6n\x1bc', ''],
    ['\x9b31mred', 'red'],
    ['one\r\ntwo\rthree', 'one\ntwo\nthree'],
    ['a\bb\x07c\0d\x7fe\x85f', 'abcdef'],
    ['invoice\u202Efdp.exe\u2066\u2069\u200F', 'invoicefdp.exe'],
    ['a\u2028b\u2029c\uFEFFd\u200Be', 'abcde'],
    ['hidden\u{E0041}\u{E0042}', 'hidden'],
    ['👩\u200D👩 می\u200Cخواهم ❤\uFE0F', '👩\u200D👩 می\u200Cخواهم ❤\uFE0F'],
    ['\uD800x', '\uFFFDx']
  ]
  for (const [given, clean] of cases) t.equal(cleanText(given), clean, encodeURIComponent(given.toWellFormed()))
  for (const [given] of cases) t.notMatch(cleanText(given), /(?![\t\n])\p{Cc}/u)
  t.equal(cleanLine('a\nb\r\n\tc'), 'a b c')
  t.end()
})

t.test('sizes have three digits, durations two units', (t) => {
  const sizes: Array<[number, string]> = [[0, '0 B'], [999, '999 B'], [1000, '0.98 KiB'], [1024, '1.00 KiB'], [10_239, '10.0 KiB'], [1_048_575, '1.00 MiB'], [123_456_789, '118 MiB'], [2 ** 40, '1.00 TiB'], [2 ** 52, '4096 TiB']]
  for (const [bytes, text] of sizes) t.equal(formatSize(bytes), text, String(bytes))
  const durations: Array<[number, string]> = [[-1, '0 s'], [0.4, '0 s'], [59.4, '59 s'], [59.6, '1 min 0 s'], [3599, '59 min 59 s'], [3600, '1 h 0 min'], [90_000, '25 h 0 min'], [1_000_000, '12 days']]
  for (const [seconds, text] of durations) t.equal(formatDuration(seconds), text, String(seconds))
  t.same([count(1, 'file'), count(10_000, 'file')], ['1 file', '10,000 files'])
  t.end()
})

t.test('a name that is too long loses its middle', (t) => {
  t.equal(fitColumns('report.pdf', 10), 'report.pdf')
  t.equal(fitColumns('quarterly-report.pdf', 11), 'quart…t.pdf')
  t.equal(fitColumns('日本語のとても長い名前.txt', 14), '日本語…前.txt')
  t.equal(fitColumns('👩\u200D👩👩\u200D👩x', 4), '👩\u200D👩…x')
  t.equal(fitColumns('anything', 0), '…')
  t.end()
})

t.test('the speed is that of the last seconds', (t) => {
  const speed = new Speed()
  t.equal(speed.bytesPerSecond, undefined)
  speed.add(0, 0)
  speed.add(100, 400)
  t.equal(speed.bytesPerSecond, undefined, 'too early to tell')
  for (let i = 1; i <= 20; i++) speed.add(i * 1000, i * 1000)
  t.equal(speed.bytesPerSecond, 1000)
  for (let i = 21; i <= 30; i++) speed.add(20_000 + (i - 20) * 5000, i * 1000)
  t.equal(speed.bytesPerSecond, 5000)
  speed.add(0, 31_000)
  speed.add(700, 32_000)
  t.equal(speed.bytesPerSecond, 700, 'what begins anew was not slow')
  t.end()
})

t.test('a line of progress fits its columns', (t) => {
  const position = { name: 'holiday/pictures/0001.jpeg', done: 1.2 * 2 ** 30, total: 2.66 * 2 ** 30, files: [3, 12] as const }
  t.equal(progressText('Sending', position, 210 * 2 ** 20, 100), 'Sending  45 %  1.20 GiB of 2.66 GiB  3/12 files  210 MiB/s  7 s left  holiday/pictures/0001.jpeg')
  for (const columns of [20, 40, 70, 80]) t.ok(progressText('Sending', position, 210 * 2 ** 20, columns).length <= columns, String(columns))
  t.equal(progressText('Receiving', { name: 'stdin', done: 5000, total: null }, 1000, 100), 'Receiving  4.88 KiB  0.98 KiB/s  stdin')
  t.equal(progressText('Receiving', { name: 'x', done: 99_999, total: 100_000 }, 0, 100), 'Receiving  99 %  97.7 KiB of 97.7 KiB  0 B/s  stalled  x')
  t.equal(progressText('Receiving', { name: 'x', done: 0, total: 0 }, undefined, 100), 'Receiving  100 %  0 B of 0 B  x')
  t.end()
})

/** A terminal without anybody, and what was written to it. */
function newTerminal (isTTY: boolean): { readonly terminal: Terminal, readonly out: () => string, readonly err: () => string } {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const text = (stream: PassThrough): string => String(stream.read() ?? '')
  const columns = 60
  return { terminal: new Terminal({ stdin: Object.assign(stdin, { isTTY }), stdout, stderr: Object.assign(stderr, { isTTY, columns }) }), out: () => text(stdout), err: () => text(stderr) }
}

t.test('a line on which nothing happens does not promise what was true before', async (t) => {
  const { terminal, err } = newTerminal(true)
  let now = 0
  const line = new ProgressLine(terminal, 'Sending', () => now)
  t.teardown(() => { line.clear() })
  for (; now <= 2000; now += 500) line.update({ name: 'x', done: now * 1024, total: 2 ** 22 })
  t.match(err(), / {2}0\.98 MiB\/s {2}2 s left$/)
  now = 62_000
  let shown = ''
  await eventually(() => {
    shown += err()
    return shown !== ''
  })
  t.match(shown, /Sending {2}48 % .* 32\.3 KiB\/s {2}1 min 5 s left$/)
})

t.test('the line of status is written over, and never into a file', (t) => {
  const { terminal, err, out } = newTerminal(true)
  let now = 0
  const line = new ProgressLine(terminal, 'Sending', () => now)
  line.update({ name: 'x\x1b[31m', done: 0, total: 100 })
  now = 50
  line.update({ name: 'x', done: 50, total: 100 })
  terminal.line('A sentence.')
  line.clear()
  t.equal(err(), 'Sending  0 %  0 B of 100 B  x\r\x1b[2KA sentence.\nSending  0 %  0 B of 100 B  x\r\x1b[2K')
  terminal.result('result\n')
  t.equal(out(), 'result\n')

  const file = newTerminal(false)
  new ProgressLine(file.terminal, 'Sending').update({ name: 'x', done: 0, total: 1 })
  file.terminal.line('A \x1b[1msentence.')
  t.equal(file.err(), 'A sentence.\n')
  t.end()
})

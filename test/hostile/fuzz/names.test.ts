import { lstat, mkdir, readdir, rm, symlink } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { create as createDisposition, parse as parseDisposition } from 'content-disposition'
import fc from 'fast-check'
import t from 'tap'
import { CliError } from '../../../cli/cli-error.js'
import { OutputFolder } from '../../../cli/files/output-folder.js'
import { numberedName, partialName } from '../../../cli/files/partial-name.js'
import { cleanLine, cleanText } from '../../../cli/terminal/clean-text.js'
import { safePath } from '../../../client/safe-path.js'
import { distinctNames, hasExtension, numberedFileName, safeFileName } from '../../../lib/files/names.js'
import { zip } from '../../../lib/files/zip.js'
import { temporaryFolder } from '../../helpers/server.js'
import { mutatedText, stream, text } from './inputs.js'
import { holds, must, read } from './holds.js'

const HOSTILE = ['../../etc/passwd', 'C:\\autoexec.bat', 'con.txt', '.. /x', 'a\u202Egnp.exe', `${'\u0301'.repeat(90)}.tar.gz`, `${'x'.repeat(300)}.jpeg`, '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}'.repeat(20), 'a/b/c', '...', 'nul']
const names = fc.oneof(text(), text(400), mutatedText(fc.constantFrom(...HOSTILE)), fc.string({ unit: 'grapheme', maxLength: 200 }))

/** What every system takes for one name and nothing else. */
function mustBeSafe (name: string, most = 255): void {
  must(name !== '' && Buffer.byteLength(name) <= most, 'empty, or too long')
  must(name.isWellFormed() && name === name.normalize('NFC'), 'halves of characters, or a second spelling')
  must(!/[/\\<>:"|?*\p{Cc}\p{Zl}\p{Zp}\u200B\u200E\u200F\u202A-\u202E\u2066-\u2069\uFEFF]/u.test(name), 'a separator, or what is invisible')
  must(!/^\s|[\s.]$/u.test(name), 'a beginning or an end that some system drops')
  must(!/^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i.test(name), 'a device')
}

t.test('a name', async (t) => {
  await holds(t, 'is safe, and so it stays', fc.property(names, (given) => {
    const name = safeFileName(given)
    mustBeSafe(name)
    must(safeFileName(name) === name, 'another one the second time')
  }))
  await holds(t, 'that is safe comes back', fc.property(fc.stringMatching(/^[a-zäöü日本]{5,60}\.[a-z]{1,5}$/), (name) => { must(safeFileName(name) === name, 'another name') }))
  await holds(t, 'with a number is safe too', fc.property(names, fc.integer({ min: 2, max: 1e6 }), (given, number) => {
    const name = safeFileName(given)
    for (const numbered of [numberedFileName(name, number), numberedName(name, number)]) {
      must(numbered.includes(`(${number})`) && Buffer.byteLength(numbered) <= 255 && !/[/\\\0]/.test(numbered), 'no number, or no name')
    }
    must(Buffer.byteLength(partialName(name)) <= 255 && !/[/\\\0]/.test(partialName(name)), 'no name for a part')
    must(!hasExtension(name, []), 'an extension of none')
  }))
  await holds(t, 'is another one for every file', fc.property(fc.array(names, { maxLength: 12 }), (given) => {
    const distinct = distinctNames(given.map(safeFileName))
    must(new Set(distinct.map((name) => name.toLowerCase())).size === given.length, 'one name for two')
    for (const name of distinct) must(Buffer.byteLength(name) <= 255 && !/[/\\\0]/.test(name), 'no name')
  }), 2)
})

// Each of these took seconds where its time grew with the square of its length.
t.test('long names take no longer than they are', (t) => {
  for (const run of ['.', ' ', '. ', '\u3000', '\u0301\u0316', '/', '\\', 'a/', '\u200B', '\u{1F468}\u200D', '\uD800']) {
    const name = `a${run.repeat(1e6 / run.length)}a`
    mustBeSafe(safeFileName(name))
    for (const component of safePath(name)) mustBeSafe(component)
    for (const component of safePath(name.slice(1))) mustBeSafe(component)
    t.notMatch(cleanLine(`\u001b[${name}`), '\u001b')
  }
  t.equal(safeFileName(`${'a'.repeat(1e6)}.txt`), `${'a'.repeat(251)}.txt`)
  t.end()
})

t.test('a path', async (t) => {
  const paths = fc.oneof(names, fc.array(names, { maxLength: 80 }).map((all) => all.join('/')))
  await holds(t, 'has components that are safe, and stays as it is', fc.property(paths, (given) => {
    const components = safePath(given)
    must(components.length >= 1 && components.length <= 65, 'too deep')
    for (const component of components) mustBeSafe(component)
    must(safePath(components.join('/')).join('/') === components.join('/'), 'another one the second time')
  }), 2)
})

t.test('what is received stays in its folder', async (t) => {
  const around = await temporaryFolder(t)
  const inside = join(around, 'inside')
  await mkdir(join(around, 'outside'))
  await holds(t, 'whatever it is called', fc.asyncProperty(fc.array(fc.oneof(names, names.map((name) => `link/${name}`), fc.constantFrom('link', 'outside', '../outside/x')), { minLength: 1, maxLength: 4 }), async (given) => {
    await rm(inside, { recursive: true, force: true })
    await mkdir(inside)
    await symlink(join(around, 'outside'), join(inside, 'link'))
    const folder = await OutputFolder.open(inside)
    for (const name of given) {
      await read(async () => {
        const { path } = await folder.plan(name)
        must(path.startsWith(inside + sep), 'planned elsewhere')
        await folder.makeFolder(name)
      }, (error) => error instanceof CliError)
    }
    must((await readdir(join(around, 'outside'))).length === 0 && (await readdir(around)).length === 2, 'something lies outside')
    must((await lstat(join(inside, 'link'))).isSymbolicLink(), 'the link was replaced')
  }), 4)
})

t.test('Content-Disposition', async (t) => {
  await holds(t, 'is one line of ASCII, and its name comes back', fc.property(names, (given) => {
    const name = safeFileName(given)
    const header = createDisposition(name)
    must(/^[\x20-\x7e]+$/.test(header), 'no header')
    const { type, parameters } = parseDisposition(header)
    must(type === 'attachment' && parameters['filename'] === name, 'another name')
  }))
})

t.test('an archive', async (t) => {
  await holds(t, 'has the names it was given, and the length it promises', fc.asyncProperty(fc.array(names, { minLength: 1, maxLength: 6 }), async (given) => {
    const distinct = distinctNames(given.map(safeFileName))
    const { length, pieces } = zip(distinct.map((name, i) => ({ name, size: i, modifiedAt: i * 1e12, open: () => stream([new Uint8Array(i)]) })))
    const all: Buffer[] = []
    for await (const piece of pieces) all.push(Buffer.from(piece))
    const archive = Buffer.concat(all)
    must(archive.length === length, 'another length')
    must(JSON.stringify(namesIn(archive)) === JSON.stringify(distinct), 'other names')
  }), 4)
})

/** The names in the directory of an archive (APPNOTE.TXT, section 4.3.12). */
function namesIn (archive: Buffer): string[] {
  const found: string[] = []
  const end = archive.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'))
  for (let at = archive.readUInt32LE(end + 16); at < end; at += 46 + archive.readUInt16LE(at + 28) + archive.readUInt16LE(at + 30) + archive.readUInt16LE(at + 32)) {
    must((archive.readUInt16LE(at + 8) & 0x800) !== 0, 'a name that is not marked as UTF-8')
    found.push(archive.toString('utf8', at + 46, at + 46 + archive.readUInt16LE(at + 28)))
  }
  return found
}

t.test('what a terminal is shown', async (t) => {
  await holds(t, 'moves nothing', fc.property(fc.oneof(text(200), text().map((rest) => `\u001b]8;;${rest}\u0007`), text().map((rest) => `\u009b${rest}`)), (given) => {
    must(!/(?![\t\n])\p{Cc}|[\u202A-\u202E\u2066-\u2069]/u.test(cleanText(given)) && !/[\t\n]/.test(cleanLine(given)), 'a control character')
  }))
})

import t from 'tap'
import { numberedName, partialName } from '../../cli/files/partial-name.js'
import { safePath } from '../../client/safe-path.js'

const LONG = 'x'.repeat(300)

/** What a sender may call a file, and where it goes. */
const HOSTILE: ReadonlyArray<readonly [string, string]> = [
  ['a/b/c.txt', 'a/b/c.txt'],
  ['../../etc/passwd', 'etc/passwd'],
  ['/etc/passwd', 'etc/passwd'],
  ['//server/share', 'server/share'],
  ['a/../../../b', 'a/b'],
  ['a/./b', 'a/b'],
  ['a//b/', 'a/b'],
  ['..', 'file'],
  ['.', 'file'],
  ['', 'file'],
  ['/', 'file'],
  [' .. /x', 'x'],
  ['.. ', 'file'],
  ['...', 'file'],
  ['..\\..\\windows\\system32', '.._.._windows_system32'],
  ['\\\\server\\share\\x', '__server_share_x'],
  ['C:\\autoexec.bat', 'C__autoexec.bat'],
  ['C:/autoexec.bat', 'C_/autoexec.bat'],
  ['file.txt:stream', 'file.txt_stream'],
  ['CON', '_CON'],
  ['a/nul.txt/b', 'a/_nul.txt/b'],
  ['com1', '_com1'],
  ['a\0b', 'ab'],
  ['a\nb\x1b[31mc', 'ab[31mc'],
  ['.\0./x', 'file/x'],
  ['.\u200B./x', 'file/x'],
  ['invoice\u202Efdp.exe', 'invoicefdp.exe'],
  ['trailing. . /x', 'trailing/x'],
  ['e\u0301', '\u00E9'],
  [LONG, 'x'.repeat(255)],
  [`${LONG}/y`, `${'x'.repeat(255)}/y`],
  ['\uD800', '\uFFFD'],
  [`${'d/'.repeat(200)}f`, `${'d/'.repeat(64)}f`]
]

for (const [given, path] of HOSTILE) {
  t.test(JSON.stringify(given.slice(0, 40)), (t) => {
    const components = safePath(given)
    t.equal(components.join('/'), path)
    t.notOk(components.some((component) => /^\.{0,2}$|[/\\\0]/.test(component)))
    t.same(safePath(path).join('/'), path, 'once is enough')
    t.end()
  })
}

t.test('a number stands before the extension, in as many bytes as there are', (t) => {
  t.equal(numberedName('a.txt', 2), 'a (2).txt')
  t.equal(numberedName('.profile', 3), '.profile (3)')
  t.equal(numberedName('none', 10), 'none (10)')
  const long = numberedName(`${'日'.repeat(84)}.md`, 1000)
  t.ok(Buffer.byteLength(long) <= 255)
  t.match(long, /^日+ \(1000\)\.md$/)
  t.equal(Buffer.byteLength(numberedName(`${'x'.repeat(254)}.`, 2)), 255)
  t.end()
})

t.test('a partial name is hidden, its own and short enough', (t) => {
  const name = partialName('日'.repeat(85))
  t.match(name, /^\.日+\.[0-9a-f]{8}\.part$/)
  t.ok(Buffer.byteLength(name) <= 255)
  t.not(partialName('a'), partialName('a'))
  t.end()
})

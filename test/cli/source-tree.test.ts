import { execFile } from 'node:child_process'
import { appendFile, chmod, mkdir, rename, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { treeSource } from '../../cli/files/file-source.js'
import { walk, type TreeEntry } from '../../cli/files/source-tree.js'
import { checkLimits } from '../../cli/transfer/sources.js'
import type { Source } from '../../client/source.js'
import { temporaryFolder } from '../helpers/server.js'

const { signal } = new AbortController()

t.test('folders are walked in order; links and pipes in them are left out, and said', async (t) => {
  const root = await temporaryFolder(t)
  await mkdir(join(root, 'tree/sub/empty'), { recursive: true })
  await mkdir(join(root, 'other/tree'), { recursive: true })
  await writeFile(join(root, 'tree/b.txt'), 'bb')
  await writeFile(join(root, 'tree/a.sh'), 'a')
  await chmod(join(root, 'tree/a.sh'), 0o755)
  await writeFile(join(root, 'tree/sub/e\u0301'), '')
  await symlink('/etc', join(root, 'tree/etc'))
  await symlink('b.txt', join(root, 'tree/link'))
  await promisify(execFile)('mkfifo', [join(root, 'tree/pipe')])
  const { entries, leftOut } = await walk([join(root, 'tree/'), join(root, 'other/tree'), join(root, 'tree/b.txt')], signal)
  t.same(entries.map(({ name, kind, size, mode }) => [name, kind, size, (mode & 0o100) !== 0]), [
    ['tree/a.sh', 'file', 1, true],
    ['tree/b.txt', 'file', 2, false],
    ['tree/sub/empty', 'directory', 0, true],
    ['tree/sub/\u00E9', 'file', 0, false],
    ['tree (2)', 'directory', 0, true],
    ['b.txt', 'file', 2, false]
  ])
  t.same(leftOut, ['tree/etc', 'tree/link', 'tree/pipe'])
  t.equal(new Set(entries.map(({ key }) => key)).size, 6)
})

t.test('a link that was named is followed; what is no file or folder is refused', async (t) => {
  const root = await temporaryFolder(t)
  await writeFile(join(root, 'log-1'), 'content')
  await symlink('log-1', join(root, 'latest'))
  t.match((await walk([join(root, 'latest')], signal)).entries, [{ name: 'latest', size: 7 }])
  await t.rejects(walk(['/dev/null'], signal), { message: '/dev/null is neither a file nor a folder.', exitCode: 2 })
  await t.rejects(walk([join(root, 'missing')], signal), { message: /missing cannot be read: there is no such file/ })
  await t.rejects(walk([root], AbortSignal.abort(new Error('stopped'))), { message: 'stopped' })
})

async function contentOf (source: Source, offset = 0): Promise<string> {
  let content = ''
  for await (const piece of source.read(offset, signal)) content += new TextDecoder().decode(piece)
  return content
}

async function entryOf (path: string): Promise<TreeEntry> {
  const [entry] = (await walk([path], signal)).entries
  if (entry === undefined) throw new Error('nothing was found')
  return entry
}

t.test('a file is read from any offset, and only as long as it is the same', async (t) => {
  const root = await temporaryFolder(t)
  const path = join(root, 'file')
  await writeFile(path, '0123456789')
  const source = treeSource(await entryOf(path))
  t.same([await contentOf(source), await contentOf(source, 4), await contentOf(source, 10)], ['0123456789', '456789', ''])
  await appendFile(path, '!')
  await t.rejects(contentOf(source), { code: 'SOURCE_CHANGED' })
  const renewed = await source.renew?.()
  t.equal(renewed?.size, 11)
  if (renewed !== undefined) t.equal(await contentOf(renewed), '0123456789!')
  await writeFile(path, 'other text!')
  await utimes(path, new Date(), new Date(0))
  if (renewed !== undefined) await t.rejects(contentOf(renewed), { code: 'SOURCE_CHANGED' })
  await rename(path, `${path}.moved`)
  await t.rejects(contentOf(source), { code: 'SOURCE_FAILED' })
})

t.test('a file that became a link is not read', async (t) => {
  const root = await temporaryFolder(t)
  await mkdir(join(root, 'tree'))
  await writeFile(join(root, 'tree/file'), 'content')
  await writeFile(join(root, 'secret'), 'secret!')
  const entry = await entryOf(join(root, 'tree'))
  await rename(join(root, 'tree/file'), join(root, 'tree/moved'))
  await symlink('../secret', join(root, 'tree/file'))
  await t.rejects(contentOf(treeSource(entry)), { code: 'SOURCE_FAILED' })
})

t.test('a limit that would be broken is named, with the file', (t) => {
  const limits = { maxFileSize: 1000, maxSessionSize: 1500, maxFiles: 4, maxJoiners: 1, maxDownloads: null }
  const file = (name: string, size: number | null): Pick<Source, 'name' | 'size'> => ({ name, size })
  const [managed, endToEnd] = [{ kind: 'managed', limits }, { kind: 'end-to-end', limits }] as const
  checkLimits([file('a', 1000), file('b', 500), file('stdin', null)], managed)
  t.throws(() => { checkLimits([file('a', 1), file('b', 1001), file('c', 1002)], managed) }, { message: 'b has 0.98 KiB, and the server accepts 0.98 KiB at most. So are 1 other.' })
  t.throws(() => { checkLimits([file('a', 800), file('b', 800)], managed) }, { message: /^All together are 1\.56 KiB/ })
  checkLimits(Array.from({ length: 4 }, () => file('a', 1)), managed)
  t.throws(() => { checkLimits(Array.from({ length: 4 }, () => file('a', 1)), endToEnd) }, { message: 'There are 4 files, and the server accepts 3 files in a session.' })
  checkLimits([file('a', 1000 - 108)], endToEnd)
  t.throws(() => { checkLimits([file('a', 1000 - 107)], endToEnd) }, { message: 'a has 893 B, and more when it is encrypted, and the server accepts 0.98 KiB at most.' })
  t.end()
})

import { lstat, mkdir, readdir, readFile, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { OutputFolder } from '../../cli/files/output-folder.js'
import { temporaryFolder } from '../helpers/server.js'

const MODIFIED = new Date('2024-02-03T04:05:06.000Z')

interface Writing { readonly replace?: boolean, readonly executable?: boolean }

/** Receives a whole file. @returns the path it got, relative to the folder */
async function receive (folder: OutputFolder, name: string, content = 'new', { replace = false, executable = false }: Writing = {}): Promise<string> {
  const partial = await folder.create(await folder.plan(name))
  await partial.write(Buffer.from(content))
  return (await partial.finish({ modified: MODIFIED, executable, replace })).slice(folder.path.length + 1)
}

async function setUp (t: Test): Promise<{ folder: OutputFolder, root: string, outside: string }> {
  const outside = await temporaryFolder(t)
  const root = join(await temporaryFolder(t), 'received')
  return { folder: await OutputFolder.open(root), root, outside }
}

t.test('a file has a name of its own and is nobody else\'s until it is whole', async (t) => {
  const { folder, root } = await setUp(t)
  const partial = await folder.create(await folder.plan('a/b/c.txt'))
  await partial.write(Buffer.from('first '))
  const [name = ''] = await readdir(join(root, 'a/b'))
  t.match(name, /^\.c\.txt\.[0-9a-f]{8}\.part$/)
  t.equal((await stat(join(root, 'a/b', name))).mode & 0o777, 0o600)
  await partial.write(Buffer.from('second'))
  t.equal(await partial.finish({ modified: MODIFIED, executable: false, replace: false }), join(folder.path, 'a/b/c.txt'))
  t.same(await readdir(join(root, 'a/b')), ['c.txt'])
  await writeFile(join(root, 'ordinary'), '')
  const { mode, mtime } = await stat(join(root, 'a/b/c.txt'))
  t.same([mode, mtime], [(await stat(join(root, 'ordinary'))).mode, MODIFIED])
  t.equal(await readFile(join(root, 'a/b/c.txt'), 'utf8'), 'first second')
})

t.test('what is discarded leaves nothing, what is kept can be gone on with', async (t) => {
  const { folder, root } = await setUp(t)
  const gone = await folder.create(await folder.plan('gone'))
  await gone.discard()
  t.same(await readdir(root), [])
  const kept = await folder.create(await folder.plan('kept'))
  await kept.write(Buffer.from('0123456789'))
  await kept.keep()
  const again = await (await OutputFolder.open(root)).reopenPartial('kept', kept.path)
  t.equal(await again?.size(), 10)
  await again?.continueAt(4)
  await again?.write(Buffer.from('ABC'))
  await again?.finish({ modified: MODIFIED, executable: true, replace: false })
  t.equal(await readFile(join(root, 'kept'), 'utf8'), '0123ABC')
  t.equal((await stat(join(root, 'kept'))).mode & 0o111, (await stat(root)).mode & 0o111)
})

t.test('what is there stays, unless it was said that it need not', async (t) => {
  const { folder, root } = await setUp(t)
  await writeFile(join(root, 'a.tar.gz'), 'old')
  t.equal(await folder.isTaken('a.tar.gz'), true)
  t.equal(await receive(folder, 'a.tar.gz'), 'a.tar (2).gz')
  t.equal(await receive(folder, 'a.tar.gz'), 'a.tar (3).gz')
  t.equal(await readFile(join(root, 'a.tar.gz'), 'utf8'), 'old')
  t.equal(await receive(folder, 'a.tar.gz', 'newest', { replace: true }), 'a.tar.gz')
  t.equal(await readFile(join(root, 'a.tar.gz'), 'utf8'), 'newest')
  t.equal(await receive(folder, 'a.tar.gz', 'again', { replace: true }), 'a.tar (4).gz', 'what this session brought is not replaced by it')
  await receive(folder, 'A.TAR.GZ', 'other case', { replace: true })
  t.equal(await readFile(join(root, 'a.tar.gz'), 'utf8'), 'newest', 'nor under another case, where that makes no difference')
  t.equal((await readdir(root)).length, 5)
  await mkdir(join(root, 'folder'))
  t.equal(await receive(folder, 'folder', 'x', { replace: true }), 'folder (2)', 'a file never replaces a folder')
})

t.test('a name that is taken while its file arrives is not lost either', async (t) => {
  const { folder, root } = await setUp(t)
  const partial = await folder.create(await folder.plan('race'))
  await partial.write(Buffer.from('ours'))
  await writeFile(join(root, 'race'), 'theirs')
  t.equal(await partial.finish({ modified: MODIFIED, executable: false, replace: false }), join(folder.path, 'race (2)'))
  t.equal(await readFile(join(root, 'race'), 'utf8'), 'theirs')
})

t.test('no symbolic link is followed, whatever it stands in for', async (t) => {
  const { folder, root, outside } = await setUp(t)
  await symlink(outside, join(root, 'photos'))
  await symlink(join(outside, 'target'), join(root, 'file'))
  await symlink(join(outside, 'nowhere'), join(root, 'dangling'))
  t.equal(await receive(folder, 'photos/x'), 'photos (2)/x')
  t.equal(await receive(folder, 'photos/y'), 'photos (2)/y', 'a folder keeps together')
  t.equal(await receive(folder, 'file'), 'file (2)')
  t.equal(await receive(folder, 'dangling'), 'dangling (2)')
  t.equal(await receive(folder, 'file', 'x', { replace: true }), 'file', 'a link itself can be replaced')
  t.notOk((await lstat(join(root, 'file'))).isSymbolicLink())
  t.equal(await readlink(join(root, 'dangling')), join(outside, 'nowhere'))
  t.same(await readdir(outside), [])
})

t.test('a folder that becomes a link meanwhile is noticed', async (t) => {
  const { folder, root, outside } = await setUp(t)
  t.equal(await receive(folder, 'a/b/x'), 'a/b/x')
  await rename(join(root, 'a'), join(root, 'moved'))
  await symlink(outside, join(root, 'a'))
  await mkdir(join(outside, 'b'))
  await t.rejects(receive(folder, 'a/b/y'), { message: /moved, or replaced by a symbolic link/ })
  t.same(await readdir(join(outside, 'b')), [])
})

t.test('a partial file that became something else is not gone on with', async (t) => {
  const { folder, root, outside } = await setUp(t)
  const kept = await folder.create(await folder.plan('x'))
  await kept.keep()
  await rm(kept.path)
  t.equal(await folder.reopenPartial('x', kept.path), undefined)
  await writeFile(join(outside, 'precious'), 'precious')
  await symlink(join(outside, 'precious'), kept.path)
  t.equal(await folder.reopenPartial('x', kept.path), undefined)
  t.equal(await folder.reopenPartial('x', join(outside, 'precious')), undefined, 'nor one elsewhere')
  t.equal(await readFile(join(outside, 'precious'), 'utf8'), 'precious')
  t.same((await readdir(root)).length, 1)
})

t.test('ten thousand files of one name are all kept', async (t) => {
  const { folder, root } = await setUp(t)
  for (let i = 0; i < 200; i++) await receive(folder, 'same', String(i))
  t.equal((await readdir(root)).length, 200)
  t.equal(await readFile(join(root, 'same (200)'), 'utf8'), '199')
})

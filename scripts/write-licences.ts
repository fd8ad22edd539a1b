/**
 * The last step of `npm run build`: writes the licences of the packages that were built into the page and into the command beside
 * them, dist/web/licences.md and dist/cli/licences.md. Most licences ask that their text goes wherever the code goes.
 *
 * What was built in, the builders say: Vite in dist/web/licences.json, esbuild in its metafile. Both are removed.
 */

import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')
const DIST = join(ROOT, 'dist')
const FROM_VITE = join(DIST, 'web', 'licences.json')
const FROM_ESBUILD = join(DIST, 'cli', 'inputs.json')

/** The innermost package that a module lies in. */
const PACKAGE_FOLDER = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/
const LICENCE_FILE = /^(?:licen[cs]e|copying)/i
/** Several authors have no file for it, and end their README with the licence. */
const LICENCE_IN_README = /^#+ licen[cs]e\s*\n([\s\S]*Permission is hereby granted[\s\S]*)$/im

const page = JSON.parse(await readFile(FROM_VITE, 'utf8')) as ReadonlyArray<{ readonly name: string }>
await writeLicences('web', new Set(page.map(({ name }) => join('node_modules', name))))

const { inputs } = JSON.parse(await readFile(FROM_ESBUILD, 'utf8')) as { readonly inputs: Readonly<Record<string, unknown>> }
await writeLicences('cli', new Set(Object.keys(inputs).flatMap((path) => PACKAGE_FOLDER.exec(path)?.[0] ?? [])))

await rm(FROM_VITE)
await rm(FROM_ESBUILD)

async function writeLicences (part: string, folders: ReadonlySet<string>): Promise<void> {
  if (folders.size === 0) throw new Error(`Nothing was built into dist/${part}: did its builder say so?`)
  const sections = await Promise.all([...folders].sort().map(section))
  await writeFile(join(DIST, part, 'licences.md'), `# Licences of the packages in here\n\n${sections.join('\n')}`)
}

async function section (folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8')) as Readonly<Record<string, string>>
  const text = await licenceText(join(ROOT, folder))
  if (text === undefined) throw new Error(`${folder} has no text of its licence, which must go along with it.`)
  return `## ${name ?? folder} ${version ?? ''} (${license ?? 'see below'})\n\n${text.replaceAll(/^(?=.)/gm, '    ').trimEnd()}\n`
}

async function licenceText (folder: string): Promise<string | undefined> {
  const names = (await readdir(folder)).sort()
  const file = names.find((name) => LICENCE_FILE.test(name))
  if (file !== undefined) return await readFile(join(folder, file), 'utf8')
  const readme = names.find((name) => /^readme/i.test(name))
  return readme === undefined ? undefined : LICENCE_IN_README.exec(await readFile(join(folder, readme), 'utf8'))?.[1]?.trim()
}

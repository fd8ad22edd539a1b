/** Every import is of a package that package.json declares for it, and every package it declares is used. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import ts from 'typescript'
import { projectPath } from '../helpers/project.js'

interface Manifest {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

/** What an installation runs: it may import dependencies alone. */
const SHIPPED = ['app.ts', 'server.ts', 'workers.ts', 'lib', 'plugins', 'routes', 'client', 'cli']
/** Vite builds what it imports into it. */
const PAGE = ['web']
const REST = ['eslint.config.js', 'vite.config.ts', 'scripts', 'test', 'examples']

/** Used without being imported: by the program that reads this file, under this word. */
const NAMED: Readonly<Record<string, readonly [file: string, word: string]>> = {
  '@redocly/cli': ['test/project/documents.test.ts', '@redocly/cli'],
  '@types/node': ['tsconfig.json', '"node"'],
  '@types/range-parser': ['lib/files/ranges.ts', "'range-parser'"],
  eslint: ['package.json', '"eslint .'],
  'pino-pretty': ['server.ts', "'pino-pretty'"],
  tsx: ['package.json', 'tsx scripts/']
}

const manifest = JSON.parse(await readFile(projectPath('package.json'), 'utf8')) as Manifest
const read = (path: string): Promise<string> => readFile(projectPath(path), 'utf8')

async function sources (places: readonly string[]): Promise<string[]> {
  const found = await Promise.all(places.map(async (place) => {
    if (place.includes('.')) return [place]
    return (await readdir(projectPath(place), { recursive: true })).map((path) => join(place, path))
  }))
  return found.flat().filter((path) => /\.(?:ts|tsx|js|mjs)$/.test(path) && !path.includes('node_modules') && !path.includes('vendor'))
}

const packageOf = (specifier: string): string => specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')

/** The packages that files import, statically, dynamically or by require. */
async function imported (places: readonly string[]): Promise<Map<string, string>> {
  const packages = new Map<string, string>()
  for (const path of await sources(places)) {
    for (const { fileName } of ts.preProcessFile(await read(path), true, true).importedFiles) {
      if (!/^(?:\.|node:)/.test(fileName) && packageOf(fileName) !== 'local-send') packages.set(packageOf(fileName), path)
    }
  }
  return packages
}

const [shipped, page, rest] = await Promise.all([imported(SHIPPED), imported(PAGE), imported(REST)])

t.test('what an installation runs imports what an installation has', (t) => {
  t.ok(shipped.size > 20, `${shipped.size} packages`)
  for (const [name, path] of shipped) t.ok(name in manifest.dependencies, `${name}, by ${path}`)
  t.end()
})

t.test('everything else imports what is declared', (t) => {
  for (const [name, path] of [...page, ...rest]) t.ok(name in manifest.dependencies || name in manifest.devDependencies, `${name}, by ${path}`)
  t.end()
})

t.test('nothing is declared that nothing uses', async (t) => {
  for (const name of Object.keys(manifest.dependencies)) t.ok(shipped.has(name), name)
  for (const name of Object.keys(manifest.devDependencies)) {
    const [file, word] = NAMED[name] ?? []
    if (file === undefined || word === undefined) t.ok(page.has(name) || rest.has(name), name)
    else t.ok((await read(file)).includes(word), `${name}, in ${file}`)
  }
})

t.test('elliptic has one importer', async (t) => {
  const importers = []
  for (const path of await sources([...SHIPPED, ...PAGE])) {
    if (ts.preProcessFile(await read(path), true, true).importedFiles.some(({ fileName }) => packageOf(fileName) === 'elliptic')) importers.push(path)
  }
  t.same(importers, ['lib/crypto/p256.ts'])
})

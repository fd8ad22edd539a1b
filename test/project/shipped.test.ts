/** What is told about what ships: its bill of materials, and what a registry knows against it. */

import t from 'tap'
import { judge } from '../../scripts/advisories.js'
import { billOfMaterials } from '../../scripts/sbom.js'
import { BUILT_IN, shippedFolders } from '../../scripts/shipped.js'

interface Bill {
  readonly bomFormat: string
  readonly serialNumber?: string
  readonly metadata: { readonly timestamp?: string, readonly component: { readonly name: string } }
  readonly components: ReadonlyArray<{ readonly 'bom-ref': string, readonly name: string, readonly version: string, readonly hashes?: readonly object[], readonly licenses?: readonly object[] }>
  readonly dependencies: ReadonlyArray<{ readonly ref: string, readonly dependsOn: readonly string[] }>
}

t.test('the bill of materials has what ships, no more and no less, and is the same every time', async (t) => {
  const text = billOfMaterials('86400')
  t.equal(billOfMaterials('86400'), text)
  const { bomFormat, serialNumber, metadata, components, dependencies } = JSON.parse(text) as Bill
  t.same([bomFormat, serialNumber, metadata.timestamp, metadata.component.name], ['CycloneDX', undefined, '1970-01-02T00:00:00.000Z', 'local-send'])
  const names = [...await shippedFolders()].map((folder) => folder.replace(/^.*node_modules\//, ''))
  t.same(new Set(components.map(({ name }) => name)), new Set(names))
  for (const name of ['fastify', 'elliptic', ...BUILT_IN]) t.ok(names.includes(name), name)
  for (const name of ['tap', 'typescript', 'vite']) t.notOk(names.includes(name), name)
  for (const { name, hashes, licenses } of components) t.ok(hashes?.length === 1 && licenses?.length === 1, `${name} with a digest and a licence`)
  const known = new Set(['local-send@0.1.0', ...components.map((component) => component['bom-ref'])])
  for (const { ref, dependsOn } of dependencies) t.ok([ref, ...dependsOn].every((name) => known.has(name)), ref)
})

const advisory = (name: string, id: string): object => ({ name, title: 'a hole', severity: 'high', url: `https://github.com/advisories/${id}` })
const report = (...found: ReadonlyArray<readonly [folder: string, advisory: object | string]>): string => JSON.stringify({
  vulnerabilities: Object.fromEntries(found.map(([folder, cause]) => [folder, { via: [cause], nodes: [folder] }]))
})
const ships = (folder: string): boolean => folder !== 'node_modules/tap'

t.test('advisories: none, some, and not checked are three answers', (t) => {
  t.equal(judge(report(), ships).code, 2, 'a registry that knows nothing has not looked')
  t.match(judge(report(), ships).lines, [/^not checked: the registry does not know of .*GHSA-848j-6mx2-7j84/])
  t.same(judge(report(['node_modules/fastify', advisory('fastify', 'GHSA-1')], ['node_modules/above', 'fastify'], ['node_modules/tap', advisory('tap', 'GHSA-2')]), ships), {
    lines: ['high: fastify: a hole https://github.com/advisories/GHSA-1', 'checked: 1 open'], code: 1
  })
  const accepted = judge(report(['node_modules/elliptic', advisory('elliptic', 'GHSA-848j-6mx2-7j84')]), ships)
  t.equal(accepted.code, 0)
  t.match(accepted.lines, [/^accepted: .*GHSA-848j-6mx2-7j84 elliptic signs wrongly/, 'checked: 0 open'])
  t.same(judge('{"message": "405 Method Not Allowed", "statusCode": 405}', ships), { lines: ['not checked: 405 Method Not Allowed'], code: 2 })
  t.same(judge('', ships), { lines: ['not checked: npm audit printed no report'], code: 2 })
  t.end()
})

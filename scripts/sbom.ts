/**
 * What ships, as a bill of materials: CycloneDX 1.5. npm makes it from the lock file; here it is cut to what ships, and loses what
 * would differ from one machine or minute to the next.
 */

import { execFileSync } from 'node:child_process'
import { packageFolder } from '../lib/version.js'
import { BUILT_IN } from './shipped.js'

interface Component {
  readonly name: string
  readonly 'bom-ref': string
  readonly properties?: ReadonlyArray<{ readonly name: string, readonly value: string }>
}

interface Bill {
  readonly serialNumber?: string
  readonly metadata: { readonly timestamp?: string, readonly component: Component }
  readonly components: readonly Component[]
  readonly dependencies: ReadonlyArray<{ readonly ref: string, readonly dependsOn: readonly string[] }>
}

const isDevelopment = ({ properties = [] }: Component): boolean => properties.some(({ name, value }) => name === 'cdx:npm:package:development' && value === 'true')

/**
 * The bill of a project with a lock file.
 *
 * @param moment - when it claims to have been made: seconds since 1970, as in SOURCE_DATE_EPOCH; without it, no time is named
 */
export function billOfMaterials (moment?: string, folder = packageFolder): string {
  const printed = execFileSync('npm', ['sbom', '--sbom-format=cyclonedx', '--package-lock-only'], { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 2 ** 20 })
  const { serialNumber: _random, ...bill } = JSON.parse(printed) as Bill
  const components = bill.components.filter((component) => !isDevelopment(component) || BUILT_IN.has(component.name))
  const shipped = new Set([bill.metadata.component['bom-ref'], ...components.map((component) => component['bom-ref'])])
  const { timestamp: _now, ...metadata } = bill.metadata
  return `${JSON.stringify({
    ...bill,
    metadata: {
      ...(moment !== undefined && { timestamp: new Date(Number(moment) * 1000).toISOString() }),
      ...metadata,
      // npm calls it by the folder that it lies in.
      component: { ...metadata.component, name: 'local-send' }
    },
    components,
    dependencies: bill.dependencies.filter(({ ref }) => shipped.has(ref)).map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((name) => shipped.has(name)) }))
  }, null, 2)}\n`
}

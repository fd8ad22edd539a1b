/** What deploy/ has for Prometheus and Grafana. */

import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { projectPath } from '../helpers/project.js'

export const read = async (name: string): Promise<string> => await readFile(projectPath(name), 'utf8')

interface Rules {
  readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<{ readonly alert: string, readonly expr: string, readonly annotations: Readonly<Record<string, string>> }> }>
}

interface Dashboard {
  readonly panels: ReadonlyArray<{ readonly id: number, readonly title: string, readonly targets?: ReadonlyArray<{ readonly expr: string }> }>
}

export const alerts = async (): Promise<Rules['groups'][number]['rules']> => (parse(await read('deploy/prometheus/local-send.rules.yaml')) as Rules).groups.flatMap(({ rules }) => rules)
export const panels = async (): Promise<Dashboard['panels']> => (JSON.parse(await read('deploy/grafana/local-send.json')) as Dashboard).panels
export const expressions = async (): Promise<string[]> => (await panels()).flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))

export const namesIn = (text: string): Set<string> => new Set(text.match(/\b(?:local_send|nodejs|process)_[a-z0-9_]+/g) ?? [])

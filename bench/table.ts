/** A first mark: what a figure must reach. */
export interface Mark {
  readonly what: string
  readonly value: number
  readonly limit: string
  readonly met: boolean
}

/** What one benchmark found. */
export interface Report {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: ReadonlyArray<readonly string[]>
  readonly notes: readonly string[]
  readonly marks: readonly Mark[]
  /** All figures, for the JSON file. */
  readonly figures: unknown
}

/** A report as Markdown. */
export function toMarkdown ({ title, columns, rows, notes, marks }: Report): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [
    `### ${title}`,
    '',
    line(columns),
    line(columns.map((_column, i) => i === 0 ? '---' : '---:')),
    ...rows.map(line),
    '',
    ...notes.flatMap((note) => [note, '']),
    ...marks.map(({ what, value, limit, met }) => `- ${what}: ${value.toFixed(2)}, mark ${limit}: **${met ? 'met' : 'missed'}**`),
    ''
  ].join('\n')
}

/** The one in the middle, or the mean of the two there. */
export function median (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const [low = Number.NaN, high = low] = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1)
  return (low + high) / 2
}

/** The smallest and the largest, scaled: `310–344`. */
export function extent (values: readonly number[], scale = 1, digits = 0): string {
  return [Math.min(...values), Math.max(...values)].map((value) => (value / scale).toFixed(digits)).join('–')
}

/** Bytes with a binary unit, as `--size` takes them: `1 GiB`. */
export function formatSize (bytes: number): string {
  const [unit, name] = bytes >= 2 ** 30 ? [2 ** 30, 'GiB'] as const : [2 ** 20, 'MiB'] as const
  return `${Number((bytes / unit).toFixed(2))} ${name}`
}

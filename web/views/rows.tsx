import type { ComponentChildren } from 'preact'
import { strings } from '../strings/index.js'
import { FileIcon, FolderIcon, TextIcon } from './icons.js'

/** Rows that are drawn: a browser is slow with ten thousand, and nobody reads them. */
const SHOWN = 200

interface RowsProps<Row> {
  readonly rows: readonly Row[]
  readonly children: (row: Row) => ComponentChildren
}

/** The first of many rows, and how many more there are. */
export function Rows<Row> ({ rows, children }: RowsProps<Row>) {
  const hidden = rows.length - SHOWN
  return (
    <>
      <ul class='rows'>{rows.slice(0, SHOWN).map(children)}</ul>
      {hidden > 0 && <p class='hint'>{strings.value.receiving.hidden(hidden)}</p>}
    </>
  )
}

/** The picture of a file, a folder or a text. */
export const KindIcon = ({ kind }: { readonly kind: 'text' | 'directory' | undefined }) =>
  kind === 'directory' ? <FolderIcon /> : kind === 'text' ? <TextIcon /> : <FileIcon />

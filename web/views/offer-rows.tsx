import { formatSize } from '../strings/format.js'
import { strings } from '../strings/index.js'
import type { OfferRow } from '../transfer/offer-row.js'
import type { Receiving } from '../transfer/receiving.js'
import { CopyButton } from './copy-button.js'
import { DoneIcon } from './icons.js'
import { ProblemNote } from './problem.js'
import { FileProgress } from './progress.js'
import { KindIcon, Rows } from './rows.js'

interface OfferRowsProps {
  readonly receiving: Receiving
  /** Whether nothing can be taken any more. */
  readonly isOver?: boolean
}

/** What is on offer, each with what has become of it. */
export function OfferRows ({ receiving, isOver = false }: OfferRowsProps) {
  const { rows: { value: rows }, taking: { value: taking } } = receiving
  const take = isOver || taking === undefined ? undefined : (row: OfferRow): void => { void taking.each([row]) }
  const archive = taking?.archive.value
  return (
    <>
      <Rows rows={rows}>{(row) => <Row key={row.file.fileId} row={row} take={take} isOnlyOne={rows.length === 1} />}</Rows>
      {archive && <p class='hint'><bdi>{archive.name}</bdi> <a class='small' href={archive.url} download={archive.name}>{strings.value.receiving.again}</a></p>}
    </>
  )
}

function Row ({ row, take, isOnlyOne }: { readonly row: OfferRow, readonly take: ((row: OfferRow) => void) | undefined, readonly isOnlyOne: boolean }) {
  const { receiving: words } = strings.value
  const { path, file: { kind, size }, is: { value: is } } = row
  const name = path.join('/')
  return (
    <li class={`row ${is.name}`}>
      <KindIcon kind={kind} />
      <span class='name'><bdi>{name}</bdi></span>
      <span class='size'>{kind === 'directory' ? words.folder : size === null ? words.unknownSize : formatSize(size)}</span>
      <span class='row-state'>{is.name === 'saved' && <DoneIcon />}{words.states[is.name]}</span>
      {take !== undefined && row.isOpen && !isOnlyOne && kind !== 'directory' && (
        <button type='button' class='small' aria-label={`${kind === 'text' ? words.showText : words.save}: ${name}`} onClick={() => { take(row) }}>{kind === 'text' ? words.showText : words.save}</button>
      )}
      {is.name === 'saved' && is.download && <a class='small' href={is.download.url} download={is.download.name}>{words.again}</a>}
      {take !== undefined && is.name === 'saved' && is.download === undefined && row.isHeld && <button type='button' class='small' aria-label={`${words.again}: ${name}`} onClick={() => { take(row) }}>{words.again}</button>}
      {(is.name === 'checking' || is.name === 'receiving') && <FileProgress gauge={row.gauge} label={name} />}
      {is.name === 'failed' && <ProblemNote problem={is.problem} />}
      {is.name === 'saved' && is.text !== undefined && <ReceivedText text={is.text} />}
    </li>
  )
}

/** A text as its sender wrote it: shown, never run. */
const ReceivedText = ({ text }: { readonly text: string }) => (
  <div class='received-text'>
    <pre dir='auto' tabIndex={0}>{text}</pre>
    <CopyButton text={text}>{strings.value.receiving.copyText}</CopyButton>
  </div>
)

import { canChooseFile, canChooseFolder, chooseFile, chooseFolder } from '../saving/chosen-place.js'
import { MAX_ENTRIES } from '../saving/zip.js'
import { formatSize } from '../strings/format.js'
import { strings } from '../strings/index.js'
import type { OfferRow } from '../transfer/offer-row.js'
import type { Receiving } from '../transfer/receiving.js'
import type { Taking } from '../transfer/taking.js'
import { Heading } from './heading.js'
import { Honest } from './honest.js'
import { OfferRows } from './offer-rows.js'
import { LostNote } from './lost-note.js'
import { ProblemNote } from './problem.js'
import { OverallProgress } from './progress.js'
import { Verifiers } from './verifiers.js'

/** What archives are called. */
const ARCHIVE = 'local-send.zip'

/** What is on offer, and the ways to take it. */
export function Offers ({ receiving }: { readonly receiving: Receiving }) {
  const { receiving: words } = strings.value
  const { rows: { value: rows }, taking: { value: taking }, complete: { value: complete }, damaged: { value: damaged }, kind: { value: kind }, isLost: { value: isLost }, gauge } = receiving
  const size = rows.reduce((sum, { file }) => sum + (file.size ?? 0), 0)
  return (
    <>
      <section class='card'>
        <Heading>{words.heading}</Heading>
        <div role='status'>
          <p class={rows.length === 0 ? 'state waiting' : 'state'}>{rows.length === 0 ? words.nothingYet : words.summary(rows.length, formatSize(size))}</p>
          {rows.length > 0 && kind === 'end-to-end' && <p class='hint'>{complete ? words.all : words.more}</p>}
        </div>
        <Verifiers verifiers={kind === 'managed' || receiving.verifier.value === '' ? [] : [receiving.verifier.value]} />
        {damaged > 0 && <p class='note warning' role='alert'>{words.damaged(damaged)}</p>}
        {taking?.problem.value && <ProblemNote problem={taking.problem.value} />}
        <LostNote isLost={isLost} isStalled={taking?.busy.value === true && gauge.isStalled.value && gauge.done.value !== gauge.total.value} />
        {taking?.busy.value === true && <OverallProgress gauge={gauge} label={words.saving} isMoving={!isLost} />}
        {taking && <TakeButtons rows={rows.filter((row) => row.isOpen)} taking={taking} />}
        <OfferRows receiving={receiving} />
        <div class='buttons end'><button type='button' onClick={() => { receiving.leave() }}>{words.finish}</button></div>
      </section>
      <Honest warning={kind === 'managed'}>{kind === 'managed' ? words.honestManaged : words.honest}</Honest>
    </>
  )
}

/** Ways to take everything that has not been taken. */
function TakeButtons ({ rows, taking }: { readonly rows: readonly OfferRow[], readonly taking: Taking }) {
  const { receiving: words } = strings.value
  const [first] = rows
  if (first === undefined) return null
  if (rows.length === 1) return <TakeOne row={first} taking={taking} />
  return (
    <div class='buttons'>
      {rows.length <= MAX_ENTRIES && <button type='button' class='primary' onClick={() => { void taking.zip(rows, ARCHIVE) }}>{words.saveAll}</button>}
      {canChooseFolder() && <button type='button' onClick={() => { void intoFolder(rows, taking) }}>{words.saveFolder}</button>}
    </div>
  )
}

function TakeOne ({ row, taking }: { readonly row: OfferRow, readonly taking: Taking }) {
  const { receiving: words } = strings.value
  const isFile = row.file.kind === undefined
  return (
    <div class='buttons'>
      <button type='button' class='primary' onClick={() => { void taking.each([row]) }}>{row.file.kind === 'text' ? words.showText : words.saveSingle}</button>
      {isFile && canChooseFile() && <button type='button' onClick={() => { void asFile(row, taking) }}>{words.saveAs}</button>}
    </div>
  )
}

async function intoFolder (rows: readonly OfferRow[], taking: Taking): Promise<void> {
  const place = await chooseFolder()
  if (place !== undefined) await taking.each(rows, place)
}

async function asFile (row: OfferRow, taking: Taking): Promise<void> {
  const place = await chooseFile(row.path.at(-1) ?? '')
  if (place !== undefined) await taking.each([row], place)
}

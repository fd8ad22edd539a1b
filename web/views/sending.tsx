import { formatSize } from '../strings/format.js'
import { strings } from '../strings/index.js'
import type { SendRow } from '../transfer/send-rows.js'
import type { Sending } from '../transfer/sending.js'
import { CodeCard } from './code-card.js'
import { Ending } from './ending.js'
import { Heading } from './heading.js'
import { Honest } from './honest.js'
import { DoneIcon } from './icons.js'
import { LostNote } from './lost-note.js'
import { ProblemNote, sentenceFor } from './problem.js'
import { FileProgress, OverallProgress } from './progress.js'
import { KindIcon, Rows } from './rows.js'
import { Verifiers } from './verifiers.js'

interface SendingProps {
  readonly sending: Sending
  readonly onAgain: () => void
}

/** Sending, in each of its phases. */
export function SendingView ({ sending, onAgain }: SendingProps) {
  const { sending: words, problems } = strings.value
  const { value: phase } = sending.phase
  switch (phase.name) {
    case 'creating': return <section class='card'><Heading>{words.creating}</Heading></section>
    case 'sharing': return <Sharing sending={sending} code={phase.code} link={phase.link} />
    case 'done': return <Done sending={sending} receivers={phase.receivers} complete={phase.complete} onAgain={onAgain} />
    case 'stopped': return <Ending heading={words.stoppedHeading} text={words.stopped} again={words.again} onAgain={onAgain} />
    case 'failed': return <Ending heading={problems.heading} text={sentenceFor(phase.problem)} again={problems.again} onAgain={onAgain} />
  }
}

/** Who has what, in the end. */
function Done ({ sending, receivers, complete, onAgain }: SendingProps & { readonly receivers: number, readonly complete: boolean }) {
  const { sending: words } = strings.value
  const failed = sending.files.failed.value.length
  const [heading, text] = complete
    ? [words.doneHeading, words.done(receivers)]
    : failed > 0
      ? [words.notSentHeading, words.notSent(failed, sending.files.rows.length)]
      : receivers < sending.receivers ? [words.partlyHeading, words.partly] : [words.notSentHeading, words.unmarkedDone]
  return <Ending good={complete} heading={heading} text={text} again={words.again} onAgain={onAgain}><SentRows sending={sending} /></Ending>
}

function Sharing ({ sending, code, link }: { readonly sending: Sending, readonly code: string, readonly link: string }) {
  const { sending: words } = strings.value
  const { isLost: { value: isLost }, uploaded: { value: isUploaded }, files } = sending
  const { value: isUnmarked } = files.unmarked
  const isManaged = sending.kind === 'managed'
  const uploaded = files.failed.value.length > 0 || isUnmarked ? words.notSentHeading : isManaged ? words.uploadedManaged : words.uploaded
  return (
    <>
      <CodeCard code={code} link={link} how={isManaged ? words.howManaged : words.how} />
      <section class='card'>
        <SharingState sending={sending} />
        <LostNote isLost={isLost} />
        <OverallProgress gauge={files.gauge} label={isUploaded ? uploaded : words.uploading} isMoving={!isLost && !isUploaded} />
        {isUnmarked && <p class='note warning' role='alert'>{words.unmarked}</p>}
        <SentRows sending={sending} />
        <div class='buttons end'><button type='button' class='danger' onClick={() => { sending.stop() }}>{words.stop}</button></div>
      </section>
      <Honest warning={isManaged}>{isManaged ? words.honestManaged : words.honest}</Honest>
    </>
  )
}

/** Who is there, and who was not let in. */
function SharingState ({ sending }: { readonly sending: Sending }) {
  const { sending: words } = strings.value
  const { joined: { value: joined }, verifiers: { value: verifiers }, refused: { value: refused }, locked: { value: locked }, receivers } = sending
  const refusal = refused?.reason === 'full' ? words.refused.full() : refused && words.refused[refused.reason](refused.times)
  return (
    <>
      <p role='status' class={joined === 0 ? 'state waiting' : 'state'}>{joined === 0 ? words.waiting : words.joined(joined, receivers)}</p>
      <Verifiers verifiers={verifiers} />
      {refusal !== undefined && <p class='note warning' role='alert'>{refusal}</p>}
      {locked && <p class='note warning' role='alert'>{words.locked}</p>}
    </>
  )
}

/** What could not be sent stands first: of many rows not all are drawn. */
function SentRows ({ sending: { files: { rows, failed: { value: failed } } } }: { readonly sending: Sending }) {
  const isFailed = new Set(failed)
  const others = failed.length === 0 ? rows : rows.filter((row) => !isFailed.has(row))
  return <Rows rows={[...failed, ...others]}>{(row) => <SentRow key={row.source.name} row={row} />}</Rows>
}

function SentRow ({ row }: { readonly row: SendRow }) {
  const { states } = strings.value.sending
  const { source: { name, size, kind }, state: { value: state }, problem: { value: problem } } = row
  return (
    <li class={`row ${state}`}>
      <KindIcon kind={kind} />
      <span class='name'><bdi>{name}</bdi></span>
      <span class='size'>{size === null ? '' : formatSize(size)}</span>
      <span class='row-state'>{state === 'received' && <DoneIcon />}{states[state]}</span>
      {state === 'sending' && <FileProgress gauge={row.gauge} label={name} />}
      {problem && <ProblemNote problem={problem} />}
    </li>
  )
}

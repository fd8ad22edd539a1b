import { formatSize } from '../strings/format.js'
import { strings } from '../strings/index.js'
import type { GoingOn } from '../transfer/going-on.js'
import { DropZone } from './drop-zone.js'
import { Heading } from './heading.js'
import { KindIcon, Rows } from './rows.js'

interface GoingOnProps {
  readonly goingOn: GoingOn
  readonly onReady: () => void
  readonly onStop: () => void
}

/** What a transfer that was interrupted needs: its files, since a browser gives them to no page that they were not chosen on. */
export function GoingOnView ({ goingOn, onReady, onStop }: GoingOnProps) {
  const { goingOn: words, sending: { stop, joined: joinedOf } } = strings.value
  const { missing: { value: missing }, strangers: { value: strangers }, joined: { value: joined }, receivers } = goingOn
  return (
    <section class='card'>
      <Heading>{words.heading}</Heading>
      <p>{words.choose}</p>
      <DropZone
        onSources={(sources) => {
          goingOn.take(sources)
          if (goingOn.missing.value.length === 0) onReady()
        }}
      />
      {strangers > 0 && <p class='note warning' role='alert'>{words.strangers(strangers)}</p>}
      <div role='status'>
        {joined > 0 && <p class='hint'>{joinedOf(joined, receivers)}</p>}
        <p class='state'>{words.missing(missing.length)}</p>
      </div>
      <Rows rows={missing}>{({ key, name, size, kind }) => (
        <li key={key} class='row'>
          <KindIcon kind={kind} />
          <span class='name'><bdi>{name}</bdi></span>
          <span class='size'>{size === null ? '' : formatSize(size)}</span>
        </li>
      )}
      </Rows>
      {goingOn.hasSome && <p id='without-hint' class='hint'>{words.withoutHint}</p>}
      <div class='buttons end'>
        {goingOn.hasSome && <button type='button' aria-describedby='without-hint' onClick={onReady}>{words.without}</button>}
        <button type='button' class='danger' onClick={onStop}>{stop}</button>
      </div>
    </section>
  )
}

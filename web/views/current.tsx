import { useEffect } from 'preact/hooks'
import { open, screen, sendOn, start, underWay } from '../screen.js'
import { strings } from '../strings/index.js'
import { takeFragment } from '../address.js'
import { GoingOnView } from './going-on.js'
import { Heading } from './heading.js'
import { Home } from './home.js'
import { ReceivingView } from './receiving.js'
import { SendingView } from './sending.js'

/** The view of what is going on. */
export function CurrentView () {
  useEffect(() => {
    const onHash = (): void => {
      const code = takeFragment()
      if (code !== undefined) void open(code)
    }
    onHash()
    return listen(window, { hashchange: onHash, beforeunload: askBeforeLeaving, pagehide: abandon, dragover: ignore, drop: ignore })
  }, [])
  const { value } = screen
  if (value.name === 'opening') return <section class='card'><Heading>{strings.value.goingOn.opening}</Heading></section>
  if (value.name === 'going-on') {
    const { goingOn } = value
    return <GoingOnView goingOn={goingOn} onReady={() => { sendOn(goingOn) }} onStop={() => { sendOn(goingOn, { stop: true }) }} />
  }
  if (value.name === 'sending') return <SendingView sending={value.sending} onAgain={start} />
  if (value.name === 'receiving') return <ReceivingView receiving={value.receiving} onAgain={start} />
  return <Home problem={value.problem} interruption={value.interruption} />
}

/** A file that is dropped where it is not wanted would be opened in place of this page. */
function ignore (event: Event): void {
  event.preventDefault()
}

function askBeforeLeaving (event: Event): void {
  if (underWay.value !== undefined) event.preventDefault()
}

function abandon (): void {
  const { value } = screen
  if (value.name === 'sending') value.sending.abandon()
  if (value.name === 'receiving') value.receiving.abandon()
}

/** @returns what ends the listening */
function listen (target: EventTarget, listeners: Readonly<Record<string, (event: Event) => void>>): () => void {
  for (const [type, listener] of Object.entries(listeners)) target.addEventListener(type, listener)
  return () => {
    for (const [type, listener] of Object.entries(listeners)) target.removeEventListener(type, listener)
  }
}

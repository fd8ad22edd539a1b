import { strings } from '../strings/index.js'
import { Heading } from './heading.js'

/** For addresses at which browsers have no WebCrypto: why, and what to do. */
export function Insecure () {
  const { insecure } = strings.value
  return (
    <section class='card'>
      <Heading>{insecure.heading}</Heading>
      <p>{insecure.why}</p>
      <p>{insecure.ask}</p>
      <p>{insecure.meanwhile}</p>
    </section>
  )
}

import fc from 'fast-check'
import t from 'tap'
import { holds, must } from './holds.js'
import { exchangeRaw, isWhole, mustBeAnswered, startFuzzed } from './place.js'
import { bytesOf, documentedRoutes, requests } from './requests.js'

t.test('whatever is asked for in whatever way is answered in the words of the catalogue, and leaves nothing under way', async (t) => {
  const place = await startFuzzed(t, { TRUST_PROXY: '127.0.0.1', BASE_PATH: '/box' })
  const { server: { origin } } = place
  await holds(t, 'requests', fc.asyncProperty(requests(await documentedRoutes()), async (drawn) => {
    const request = bytesOf(drawn, await place.known())
    try {
      const answer = await exchangeRaw(origin, request, { isWhole: isWhole(request) })
      if (isWhole(request)) must(answer.status !== undefined, 'no answer')
      mustBeAnswered(answer, (drawn.method ?? drawn.route.method) === 'HEAD')
      await place.settled()
    } catch (cause) {
      throw new Error(`${String(cause)}\n\n${request.toString('latin1')}`, { cause })
    }
    // Not made smaller: to wait for no answer again and again would take longer than the test may.
  }), 1, { endOnFailure: true })
  await place.cleared()
})

import t from 'tap'
import { call, download, randomContent } from '../helpers/client.js'
import { accept, beginAttempt, confirm, createEndToEnd, letIn, respond, sealedUploadHeaders, sealFile, uploadSealed } from '../helpers/end-to-end.js'
import { arrival, eventually, listen } from '../helpers/events.js'
import { startNginx } from '../helpers/nginx.js'
import { startServer } from '../helpers/server.js'
import { needs } from '../helpers/services.js'
import { sendPiece } from '../helpers/tus.js'

t.test('events, their signs of life and their resumption come through nginx as they happen', async (t) => {
  if (!await needs(t, 'nginx')) return
  const { origin } = await startServer(t, { TRUST_PROXY: '127.0.0.1' }, { heartbeat: 100 })
  const session = await createEndToEnd(await startNginx(t, origin))
  const first = await listen(session.url, session.token)
  const attempt = await beginAttempt(session)
  t.match(await arrival(first, 'join.requested'), { data: { join_id: attempt.joinId } })
  await eventually(() => first.comments > 2)
  first.response.destroy()
  await respond(session, attempt)
  await confirm(attempt)
  const second = await listen(session.url, session.token, first.lastEventId)
  t.match(await arrival(second, 'join.answered'), { data: { join_id: attempt.joinId } }, 'what happened meanwhile')
  await accept(session, attempt)
  await arrival(second, 'join.joined')
  second.response.destroy()
})

t.test('an answer that waits, and a file read along, come through nginx without waiting for their end', async (t) => {
  if (!await needs(t, 'nginx')) return
  const { origin } = await startServer(t, { TRUST_PROXY: '127.0.0.1' })
  const session = await createEndToEnd(await startNginx(t, origin), { max_joiners: 2 })
  const attempt = await beginAttempt(session)
  const waiting = call(`${attempt.url}?wait=20&after=pending`, { token: attempt.token })
  await respond(session, attempt)
  t.match((await waiting).body, { status: 'answered' })

  const joiner = await letIn(session)
  const sealed = await sealFile(randomContent(2 ** 20))
  await call(`${session.url}/uploads`, { method: 'POST', token: session.token, headers: sealedUploadHeaders(sealed) })
  const url = `${session.url}/uploads/${sealed.fileId}`
  t.equal((await sendPiece(url, session.token, 0, sealed.container.slice(0, 600_000))).status, 204)
  const response = await fetch(`${session.url}/download/${sealed.fileId}`, { headers: { authorization: `Bearer ${joiner}` } })
  const pieces = (response.body as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]()
  const lengthOfNext = async (): Promise<number> => {
    const next = await pieces.next()
    return next.done === true ? 0 : next.value.length
  }
  let received = 0
  while (received < 600_000) received += await lengthOfNext()
  t.equal(received, 600_000, 'all that is there, while the rest is still to come')
  t.equal((await sendPiece(url, session.token, 600_000, sealed.container.slice(600_000))).status, 204)
  for (let length = await lengthOfNext(); length > 0; length = await lengthOfNext()) received += length
  t.equal(received, sealed.container.length)
})

t.test('a body larger than nginx\'s buffers, and a range', async (t) => {
  if (!await needs(t, 'nginx')) return
  const { origin } = await startServer(t, { TRUST_PROXY: '127.0.0.1' })
  const session = await createEndToEnd(await startNginx(t, origin))
  const joiner = await letIn(session)
  const sealed = await sealFile(randomContent(20 * 2 ** 20))
  t.equal((await uploadSealed(session, session.token, sealed)).status, 201)
  const range = await download(`${session.url}/download/${sealed.fileId}`, joiner, { range: 'bytes=10000000-10000009' })
  t.same(Buffer.from(range.bytes), Buffer.from(sealed.container.subarray(10_000_000, 10_000_010)))
})
